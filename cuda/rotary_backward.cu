/* The gradients of queries and keys turn back by the angles by which these were turned: a rotation's transpose is its
 * inverse. */
#include "cuda.h"

extern "C" pl_status pl__rotary_backward(pl_stream *stream, const pl_rotary_backward_args *args)
{
    return pl__rotate(stream, args, -1.0f);
}
