/* SPDX-License-Identifier: Apache-2.0 */
/* mmq_jni.c: what MmqBridge.java calls. Built and tested with Java 17 on Linux; not run on a phone.
 * Nothing of Java is called between Get... and ReleasePrimitiveArrayCritical, as JNI demands. */
#include <jni.h>

#include "mmq_device.h"

#define CALL(type, name) JNIEXPORT type JNICALL Java_mmq_MmqBridge_##name

static mmq_device_t *device_of(jlong handle) { return (mmq_device_t *)(intptr_t)handle; }

CALL(jlong, create)(JNIEnv *env, jclass type, jdouble display_s) {
    (void)env, (void)type;
    return (jlong)(intptr_t)mmq_device_create(display_s);
}

CALL(void, free)(JNIEnv *env, jclass type, jlong handle) {
    (void)env, (void)type;
    mmq_device_free(device_of(handle));
}

CALL(jint, tokens)(JNIEnv *env, jclass type) {
    (void)env, (void)type;
    return mmq_device_tokens();
}

CALL(jint, features)(JNIEnv *env, jclass type) {
    (void)env, (void)type;
    return mmq_device_features();
}

CALL(jint, modalities)(JNIEnv *env, jclass type) {
    (void)env, (void)type;
    return mmq_device_modalities();
}

CALL(jfloat, tokenS)(JNIEnv *env, jclass type) {
    (void)env, (void)type;
    return mmq_device_token_s();
}

CALL(jint, modality)(JNIEnv *env, jclass type, jstring name) {
    const char *text = name ? (*env)->GetStringUTFChars(env, name, NULL) : NULL;
    const jint found = mmq_device_modality(text);
    (void)type;
    if (text) (*env)->ReleaseStringUTFChars(env, name, text);
    return found;
}

CALL(jstring, name)(JNIEnv *env, jclass type, jint modality) {
    const char *text = mmq_device_name(modality);
    (void)type;
    return text ? (*env)->NewStringUTF(env, text) : NULL;
}

CALL(jint, channels)(JNIEnv *env, jclass type, jint modality) {
    (void)env, (void)type;
    return mmq_device_channels(modality);
}

CALL(jfloat, rateHz)(JNIEnv *env, jclass type, jint modality) {
    (void)env, (void)type;
    return mmq_device_rate_hz(modality);
}

CALL(jstring, sentence)(JNIEnv *env, jclass type, jint status) {
    (void)type;
    return (*env)->NewStringUTF(env, mmq_device_sentence(status));
}

CALL(jint, sample)(JNIEnv *env, jclass type, jlong handle, jint modality, jfloatArray frame, jdouble time_s) {
    const jsize length = frame ? (*env)->GetArrayLength(env, frame) : 0;
    float *x = frame ? (*env)->GetPrimitiveArrayCritical(env, frame, NULL) : NULL;
    jint status = MMQ_NULL;
    (void)type;
    if (x) {
        status = mmq_device_sample(device_of(handle), modality, x, length, time_s);
        (*env)->ReleasePrimitiveArrayCritical(env, frame, x, JNI_ABORT);
    }
    return status;
}

CALL(jint, push)(JNIEnv *env, jclass type, jlong handle, jint modality, jfloatArray samples, jint frames,
                 jdouble time_s) {
    const jsize length = samples ? (*env)->GetArrayLength(env, samples) : 0;
    float *x = samples ? (*env)->GetPrimitiveArrayCritical(env, samples, NULL) : NULL;
    jint status = MMQ_NULL;
    (void)type;
    if (x) {
        status = mmq_device_push(device_of(handle), modality, x, length, frames, time_s);
        (*env)->ReleasePrimitiveArrayCritical(env, samples, x, JNI_ABORT);
    }
    return status;
}

CALL(jint, pushCounted)(JNIEnv *env, jclass type, jlong handle, jint modality, jfloatArray samples, jint frames,
                        jlong first_index) {
    const jsize length = samples ? (*env)->GetArrayLength(env, samples) : 0;
    float *x = samples ? (*env)->GetPrimitiveArrayCritical(env, samples, NULL) : NULL;
    jint status = MMQ_NULL;
    (void)type;
    if (x) {
        status = mmq_device_push_counted(device_of(handle), modality, x, length, frames, (uint32_t)first_index);
        (*env)->ReleasePrimitiveArrayCritical(env, samples, x, JNI_ABORT);
    }
    return status;
}

CALL(jint, leadOff)(JNIEnv *env, jclass type, jlong handle, jint modality, jlong off) {
    (void)env, (void)type;
    return mmq_device_lead_off(device_of(handle), modality, (uint64_t)off);
}

CALL(jint, advance)(JNIEnv *env, jclass type, jlong handle, jdouble time_s) {
    (void)env, (void)type;
    return mmq_device_advance(device_of(handle), time_s);
}

CALL(jlong, closed)(JNIEnv *env, jclass type, jlong handle) {
    (void)env, (void)type;
    return mmq_device_closed(device_of(handle));
}

CALL(jint, token)(JNIEnv *env, jclass type, jlong handle, jfloatArray features, jbyteArray presence) {
    const jsize length = features ? (*env)->GetArrayLength(env, features) : 0;
    const jsize presence_length = presence ? (*env)->GetArrayLength(env, presence) : 0;
    float *x = features ? (*env)->GetPrimitiveArrayCritical(env, features, NULL) : NULL;
    uint8_t *p = presence ? (*env)->GetPrimitiveArrayCritical(env, presence, NULL) : NULL;
    jint status = MMQ_NULL;
    (void)type;
    if (x && p) status = mmq_device_token(device_of(handle), x, length, p, presence_length);
    if (p) (*env)->ReleasePrimitiveArrayCritical(env, presence, p, 0);
    if (x) (*env)->ReleasePrimitiveArrayCritical(env, features, x, 0);
    return status;
}

CALL(jint, window)(JNIEnv *env, jclass type, jlong handle, jfloatArray features, jfloatArray presence) {
    const jsize length = features ? (*env)->GetArrayLength(env, features) : 0;
    const jsize presence_length = presence ? (*env)->GetArrayLength(env, presence) : 0;
    float *x = features ? (*env)->GetPrimitiveArrayCritical(env, features, NULL) : NULL;
    float *p = presence ? (*env)->GetPrimitiveArrayCritical(env, presence, NULL) : NULL;
    jint status = MMQ_NULL;
    (void)type;
    if (x && p) status = mmq_device_window(device_of(handle), x, length, p, presence_length);
    if (p) (*env)->ReleasePrimitiveArrayCritical(env, presence, p, 0);
    if (x) (*env)->ReleasePrimitiveArrayCritical(env, features, x, 0);
    return status;
}

CALL(jint, reasons)(JNIEnv *env, jclass type, jlong handle, jlong token, jcharArray reasons) {
    const jsize length = reasons ? (*env)->GetArrayLength(env, reasons) : 0;
    uint16_t *bits = reasons ? (*env)->GetPrimitiveArrayCritical(env, reasons, NULL) : NULL;
    jint status = MMQ_NULL;
    (void)type;
    if (bits) {
        status = mmq_device_reasons(device_of(handle), token, bits, length);
        (*env)->ReleasePrimitiveArrayCritical(env, reasons, bits, 0);
    }
    return status;
}

CALL(jint, tasks)(JNIEnv *env, jclass type) {
    (void)env, (void)type;
    return mmq_device_tasks();
}

CALL(jstring, task)(JNIEnv *env, jclass type, jint task) {
    const char *text = mmq_device_task(task);
    (void)type;
    return text ? (*env)->NewStringUTF(env, text) : NULL;
}

CALL(jint, classes)(JNIEnv *env, jclass type, jint task) {
    (void)env, (void)type;
    return mmq_device_classes(task);
}

CALL(jstring, className)(JNIEnv *env, jclass type, jint task, jint number) {
    const char *text = mmq_device_class(task, number);
    (void)type;
    return text ? (*env)->NewStringUTF(env, text) : NULL;
}

CALL(jint, step)(JNIEnv *env, jclass type, jlong handle) {
    (void)env, (void)type;
    return mmq_device_step(device_of(handle));
}

CALL(jint, due)(JNIEnv *env, jclass type, jlong handle) {
    (void)env, (void)type;
    return mmq_device_due(device_of(handle));
}

CALL(jint, dueWindow)(JNIEnv *env, jclass type, jlong handle, jfloatArray features, jfloatArray presence) {
    const jsize length = features ? (*env)->GetArrayLength(env, features) : 0;
    const jsize presence_length = presence ? (*env)->GetArrayLength(env, presence) : 0;
    float *x = features ? (*env)->GetPrimitiveArrayCritical(env, features, NULL) : NULL;
    float *p = presence ? (*env)->GetPrimitiveArrayCritical(env, presence, NULL) : NULL;
    jint status = MMQ_NULL;
    (void)type;
    if (x && p) status = mmq_device_due_window(device_of(handle), x, length, p, presence_length);
    if (p) (*env)->ReleasePrimitiveArrayCritical(env, presence, p, 0);
    if (x) (*env)->ReleasePrimitiveArrayCritical(env, features, x, 0);
    return status;
}

CALL(jint, decide)(JNIEnv *env, jclass type, jlong handle, jfloatArray logits) {
    const jsize length = logits ? (*env)->GetArrayLength(env, logits) : 0;
    float *x = logits ? (*env)->GetPrimitiveArrayCritical(env, logits, NULL) : NULL;
    jint status = MMQ_NULL;
    (void)type;
    if (x) {
        status = mmq_device_decide(device_of(handle), x, length);
        (*env)->ReleasePrimitiveArrayCritical(env, logits, x, JNI_ABORT);
    }
    return status;
}

CALL(jdouble, timeS)(JNIEnv *env, jclass type, jlong handle) {
    (void)env, (void)type;
    return mmq_device_time_s(device_of(handle));
}

CALL(jint, abstention)(JNIEnv *env, jclass type, jlong handle, jboolean shown) {
    (void)env, (void)type;
    return mmq_device_abstention(device_of(handle), shown);
}

CALL(jstring, abstentionName)(JNIEnv *env, jclass type, jint abstention) {
    (void)type;
    return (*env)->NewStringUTF(env, mmq_device_abstention_name(abstention));
}

CALL(jstring, reason)(JNIEnv *env, jclass type, jlong handle) {
    char text[MMQ_DEVICE_REASON_BYTES] = "";
    (void)type;
    (void)mmq_device_reason(device_of(handle), text, sizeof text);
    return (*env)->NewStringUTF(env, text);
}

CALL(jfloat, present)(JNIEnv *env, jclass type, jlong handle, jint modality) {
    (void)env, (void)type;
    return mmq_device_present(device_of(handle), modality);
}

CALL(jint, why)(JNIEnv *env, jclass type, jlong handle, jint modality) {
    (void)env, (void)type;
    return mmq_device_why(device_of(handle), modality);
}

CALL(jstring, whyName)(JNIEnv *env, jclass type, jint reasons) {
    (void)type;
    return (*env)->NewStringUTF(env, mmq_device_why_name(reasons));
}

CALL(jint, nextSensor)(JNIEnv *env, jclass type, jlong handle, jint can) {
    (void)env, (void)type;
    return mmq_device_next_sensor(device_of(handle), (uint32_t)can);
}

CALL(jint, probabilities)(JNIEnv *env, jclass type, jlong handle, jboolean shown, jfloatArray values) {
    const jsize length = values ? (*env)->GetArrayLength(env, values) : 0;
    float *p = values ? (*env)->GetPrimitiveArrayCritical(env, values, NULL) : NULL;
    jint count = 0;
    (void)type;
    if (p) {
        count = mmq_device_probabilities(device_of(handle), shown, p, length);
        (*env)->ReleasePrimitiveArrayCritical(env, values, p, 0);
    }
    return count;
}

CALL(jint, best)(JNIEnv *env, jclass type, jlong handle, jboolean shown, jint task) {
    (void)env, (void)type;
    return mmq_device_best(device_of(handle), shown, task);
}

CALL(jboolean, sure)(JNIEnv *env, jclass type, jlong handle, jboolean shown, jint task) {
    (void)env, (void)type;
    return mmq_device_sure(device_of(handle), shown, task) ? JNI_TRUE : JNI_FALSE;
}

CALL(jint, notEnrolled)(JNIEnv *env, jclass type, jlong handle, jbyteArray named) {
    const jsize length = named ? (*env)->GetArrayLength(env, named) : 0;
    uint8_t *bytes = named ? (*env)->GetPrimitiveArrayCritical(env, named, NULL) : NULL;
    jint status = MMQ_NULL;
    (void)type;
    if (bytes) {
        status = mmq_device_not_enrolled(device_of(handle), bytes, length);
        (*env)->ReleasePrimitiveArrayCritical(env, named, bytes, 0);
    }
    return status;
}

CALL(jint, stateBytes)(JNIEnv *env, jclass type) {
    (void)env, (void)type;
    return mmq_device_state_bytes();
}

CALL(jint, save)(JNIEnv *env, jclass type, jlong handle, jbyteArray state) {
    const jsize length = state ? (*env)->GetArrayLength(env, state) : 0;
    uint8_t *bytes = state ? (*env)->GetPrimitiveArrayCritical(env, state, NULL) : NULL;
    jint status = MMQ_NULL;
    (void)type;
    if (bytes) {
        status = mmq_device_save(device_of(handle), bytes, length);
        (*env)->ReleasePrimitiveArrayCritical(env, state, bytes, 0);
    }
    return status;
}

CALL(jint, load)(JNIEnv *env, jclass type, jlong handle, jbyteArray state) {
    const jsize length = state ? (*env)->GetArrayLength(env, state) : 0;
    uint8_t *bytes = state ? (*env)->GetPrimitiveArrayCritical(env, state, NULL) : NULL;
    jint status = MMQ_NULL;
    (void)type;
    if (bytes) {
        status = mmq_device_load(device_of(handle), bytes, length);
        (*env)->ReleasePrimitiveArrayCritical(env, state, bytes, JNI_ABORT);
    }
    return status;
}
