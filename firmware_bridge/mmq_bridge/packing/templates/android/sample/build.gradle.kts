// SPDX-License-Identifier: Apache-2.0
plugins {
    id("com.android.application")
    id("org.jetbrains.kotlin.android")
}

android {
    namespace = "mmq.sample"
    compileSdk = 36

    defaultConfig {
        applicationId = "mmq.sample"
        minSdk = 29
        targetSdk = 36
        versionCode = 1
        versionName = "@VERSION@"
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
    implementation(project(":mmq"))
}
