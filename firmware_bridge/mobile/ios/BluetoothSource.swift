// not run here
// SPDX-License-Identifier: Apache-2.0
#if canImport(CoreBluetooth)
  import CoreBluetooth
  import Foundation

  /// What a wearable tells over Bluetooth LE by the GATT profile (docs/gatt.md): it decided itself. The app's Info.plist
  /// needs NSBluetoothAlwaysUsageDescription. Connects to the first device that offers the service; what goes wrong is a
  /// result. The stream ends when the connection does: make another to connect again.
  public final class BluetoothSource: NSObject, CBCentralManagerDelegate, CBPeripheralDelegate, @unchecked Sendable {
    public let messages: AsyncStream<Result<GattMessage, WearableError>>
    private let continuation: AsyncStream<Result<GattMessage, WearableError>>.Continuation
    private let queue = DispatchQueue(label: "mmq.bluetooth")
    private var central: CBCentralManager?
    private var peripheral: CBPeripheral?
    private let service = CBUUID(string: GattMessage.service)

    public override init() {
      (messages, continuation) = AsyncStream.makeStream(of: Result<GattMessage, WearableError>.self)
      super.init()
      central = CBCentralManager(delegate: self, queue: queue)
    }

    public func close() {
      queue.async {
        if let peripheral = self.peripheral { self.central?.cancelPeripheralConnection(peripheral) }
        self.central?.stopScan()
        self.continuation.finish()
      }
    }

    public func centralManagerDidUpdateState(_ central: CBCentralManager) {
      switch central.state {
      case .poweredOn: central.scanForPeripherals(withServices: [service])
      case .unauthorized: refuse("no permission")
      case .unsupported: refuse("not on this device")
      case .poweredOff: tell("switched off")
      default: break
      }
    }

    public func centralManager(
      _ central: CBCentralManager, didDiscover peripheral: CBPeripheral, advertisementData: [String: Any],
      rssi RSSI: NSNumber
    ) {
      central.stopScan()
      self.peripheral = peripheral
      peripheral.delegate = self
      central.connect(peripheral)
    }

    public func centralManager(_ central: CBCentralManager, didConnect peripheral: CBPeripheral) {
      peripheral.discoverServices([service])
    }

    public func centralManager(
      _ central: CBCentralManager, didFailToConnect peripheral: CBPeripheral, error: Error?
    ) {
      refuse(error?.localizedDescription ?? "no connection")
    }

    public func centralManager(
      _ central: CBCentralManager, didDisconnectPeripheral peripheral: CBPeripheral, error: Error?
    ) {
      refuse(error?.localizedDescription ?? "the connection ended")
    }

    public func peripheral(_ peripheral: CBPeripheral, didDiscoverServices error: Error?) {
      guard let found = peripheral.services?.first(where: { $0.uuid == service }) else {
        return refuse("the device does not have the service \(GattMessage.service)")
      }
      peripheral.discoverCharacteristics(GattMessage.characteristics.map { CBUUID(string: $0) }, for: found)
    }

    public func peripheral(
      _ peripheral: CBPeripheral, didDiscoverCharacteristicsFor service: CBService, error: Error?
    ) {
      for characteristic in service.characteristics ?? [] { peripheral.setNotifyValue(true, for: characteristic) }
    }

    public func peripheral(
      _ peripheral: CBPeripheral, didUpdateNotificationStateFor characteristic: CBCharacteristic, error: Error?
    ) {
      if let error { tell(error.localizedDescription) }
    }

    public func peripheral(
      _ peripheral: CBPeripheral, didUpdateValueFor characteristic: CBCharacteristic, error: Error?
    ) {
      if let error { return tell(error.localizedDescription) }
      let uuid = characteristic.uuid.uuidString
      guard let message = GattMessage.decode(uuid, characteristic.value ?? Data()) else {
        return tell("\(uuid) sent no message of profile \(GattMessage.version)")
      }
      continuation.yield(.success(message))
    }

    private func tell(_ text: String) { continuation.yield(.failure(.source("Bluetooth: " + text))) }

    private func refuse(_ text: String) {
      tell(text)
      continuation.finish()
    }
  }
#endif
