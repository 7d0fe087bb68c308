/* figure.css, put into the program by the build. */
#ifndef PLUMB_FIGURE_STYLE_H
#define PLUMB_FIGURE_STYLE_H

extern const char pl__figure_style[]; /* NUL-terminated */

#endif
