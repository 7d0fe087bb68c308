/* page.css, page.js and map.js, put into the program by the build. */
#ifndef PLUMB_PAGE_ASSET_H
#define PLUMB_PAGE_ASSET_H

extern const char pl__page_style[], pl__page_script[], pl__map_script[]; /* NUL-terminated */

#endif
