// SPDX-License-Identifier: Apache-2.0
plugins {
    id("com.android.library")
    id("org.jetbrains.kotlin.android")
}

android {
    namespace = "mmq"
    compileSdk = 36
    ndkVersion = "28.2.13676358" // from 28 on libraries fit pages of 16 KB; CMakeLists.txt asks for it too

    defaultConfig {
        minSdk = 29
        consumerProguardFiles("consumer-rules.pro")
        ndk {
            abiFilters += listOf("arm64-v8a", "armeabi-v7a", "x86_64") // phones; watches; emulators
        }
    }
    externalNativeBuild {
        cmake {
            path = file("src/main/cpp/android/CMakeLists.txt")
            version = "3.22.1"
        }
    }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
}

kotlin {
    jvmToolchain(17)
}

dependencies {
    api("org.jetbrains.kotlinx:kotlinx-coroutines-android:1.10.2")
    compileOnly("androidx.health.connect:connect-client:1.1.0") // an app that uses HealthConnectSource adds it
}
