// SPDX-License-Identifier: Apache-2.0
package androidx.health.connect.client.response

import androidx.health.connect.client.records.Record

class ReadRecordsResponse<T : Record>(val records: List<T>, val pageToken: String?)
