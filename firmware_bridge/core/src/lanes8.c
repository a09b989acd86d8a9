/* lanes8.c: the operations of lanes.h on eight channels side by side, where the compiler knows vectors. */
#include "mmq_internal.h"

#if MMQ_LANES == 8
typedef float mmq_v8 __attribute__((vector_size(32), aligned(4), may_alias));
#define V mmq_v8
#define ROW(rows, stride, i, lane) (rows)[(size_t)(lane) * (stride) + (i)]
#define LOAD(rows, stride, i)                                                                              \
    ((V){ROW(rows, stride, i, 0), ROW(rows, stride, i, 1), ROW(rows, stride, i, 2), ROW(rows, stride, i, 3), \
         ROW(rows, stride, i, 4), ROW(rows, stride, i, 5), ROW(rows, stride, i, 6), ROW(rows, stride, i, 7)})
#define LANE(name) name##_8
#include "lanes.h"
#else
typedef int mmq_no_lanes; /* C99 wants something in every file */
#endif
