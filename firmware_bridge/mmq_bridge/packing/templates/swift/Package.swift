// swift-tools-version:5.9
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

let package = Package(
  name: "@NAME@",
  platforms: [.iOS(.v15), .macOS(.v13), .watchOS(.v8)],
  products: [.library(name: "Mmq", targets: ["Mmq"])],
  targets: [
    .target(
      name: "CMmq",
      publicHeadersPath: "include",
      cSettings: [.headerSearchPath("model"), .headerSearchPath("src"), .define("MMQ_KINDS_BUILT", to: "@KINDS@")]),
    .target(name: "Mmq", dependencies: ["CMmq"]),
    .testTarget(name: "MmqTests", dependencies: ["Mmq"]),
  ],
  cLanguageStandard: .c99
)
