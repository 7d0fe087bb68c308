/* The gradients of queries and keys turn back by the angles by which these were turned: a rotation's transpose is its
 * inverse. */
#include "device/cpu/rotary.h"

pl_status pl__rotary_backward(pl_stream *stream, const pl_rotary_backward_args *args)
{
    return pl__rotate("rotary_backward", stream, args, -1.0f);
}
