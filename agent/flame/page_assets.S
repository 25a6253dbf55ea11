/* SPDX-License-Identifier: Apache-2.0 */
/* The page's parts as bytes; html.c puts them together. Paths are relative to the repository. */

.macro asset name, file
	.globl	flame_\name
	.globl	flame_\name\()_end
flame_\name:
	.incbin	"\file"
flame_\name\()_end:
	.byte	0
.endm

	.section .rodata
	asset	page_html, "agent/flame/page.html"
	asset	page_css, "agent/flame/page.css"
	asset	page_js, "agent/flame/page.js"

	.section .note.GNU-stack,"",%progbits
