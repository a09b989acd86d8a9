# SPDX-License-Identifier: Apache-2.0
"""How much memory a container's content will take, read from its directory before anything is unpacked.

One module per format: `hdf5` (Matlab 7.3, Keras' weights), `mat5` (Matlab 5, EEGLAB), `parquet`, and `gzip`
(FIF), which has no directory and is counted as it unpacks. For zip archives,
`mmq_bridge.recordings.archives.Archive.size` tells it. `mmq_bridge.recordings.room.check_room` says how much
a file may take.
"""
