/* SPDX-License-Identifier: Apache-2.0 */
/* sentences.c: what a status means, for people: what Python and the companion page say after a colon. */
#include "mmq_bridge.h"

const char *mmq_status_sentence(uint32_t status) {
    static const char *const sentences[] = {
        "ok",
        "a pointer is null",
        "the spec is bad",
        "the memory is too small",
        "no such modality",
        "the time is not finite, beyond +-4e9 s or over ten days ahead of all that came",
        "late samples were dropped",
        "no token is closed",
        "the window is not full yet",
        "the normaliser is still enrolling",
        "the front end has no quantisation",
        "the spec is of a newer version than this core: update mmq-tf",
        "the state is cut short",
        "the state was changed, or is none",
        "the state is of another front end: load it with the bundle that saved it, or enrol anew",
        "the state is of a newer version than this core: update mmq-tf",
        "samples came before the state: load it first",
        "a marked window needs the label 0 or 1 and finite numbers",
        "the network wants to go on",
        "the network failed",
        "the memory is not aligned",
        "the state of the run is of another network",
        "it is no plan that this core knows: export again with the version installed here",
        "what was marked in one stretch does not hold in another: nothing is corrected"};
    return status < sizeof sentences / sizeof sentences[0] ? sentences[status] : "";
}
