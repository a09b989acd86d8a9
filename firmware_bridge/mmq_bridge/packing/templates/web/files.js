// SPDX-License-Identifier: Apache-2.0
// files.js: where the model's files are, each named by itself, so that a bundler finds them.

export const files = {
@FILES@
};
