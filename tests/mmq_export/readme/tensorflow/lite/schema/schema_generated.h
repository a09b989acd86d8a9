/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for TFLite Micro, whose sources no registry has: what the worked example uses of it. */
#pragma once
namespace tflite {
struct Model {};
inline const Model *GetModel(const void *content) { return (const Model *)content; }
}
