// SPDX-License-Identifier: Apache-2.0
// gatt_profile.js: written by `python -m mmq_bridge.gatt.source` from profile.json; do not edit.
export const GATT_PROFILE = {
  "version": 1,
  "service": "2e31f500-bc2c-4e54-ab2b-225edf7266da",
  "messages": {
    "decision": {
      "uuid": "2e31f501-bc2c-4e54-ab2b-225edf7266da",
      "fields": [
        {
          "name": "task",
          "bytes": 1
        },
        {
          "name": "abstention",
          "bytes": 1
        },
        {
          "name": "best",
          "bytes": 1
        },
        {
          "name": "confidence",
          "bytes": 2,
          "scale": 65535
        },
        {
          "name": "time_s",
          "bytes": 4
        },
        {
          "name": "tokens_left",
          "bytes": 2
        },
        {
          "name": "present_share",
          "bytes": 1,
          "scale": 255
        },
        {
          "name": "not_enrolled",
          "bytes": 2
        }
      ]
    },
    "presence": {
      "uuid": "2e31f502-bc2c-4e54-ab2b-225edf7266da",
      "fields": [
        {
          "name": "sensor",
          "bytes": 1
        },
        {
          "name": "kind",
          "bytes": 1
        },
        {
          "name": "present_share",
          "bytes": 1,
          "scale": 255
        },
        {
          "name": "reasons",
          "bytes": 2
        },
        {
          "name": "time_s",
          "bytes": 4
        }
      ]
    },
    "state": {
      "uuid": "2e31f503-bc2c-4e54-ab2b-225edf7266da",
      "fields": [
        {
          "name": "tasks",
          "bytes": 1
        },
        {
          "name": "sensors",
          "bytes": 1
        },
        {
          "name": "enrolment_left",
          "bytes": 2
        },
        {
          "name": "time_s",
          "bytes": 4
        },
        {
          "name": "model",
          "bytes": 4
        }
      ]
    }
  }
};
