# SPDX-License-Identifier: Apache-2.0
#
# Writes x86-64 assembly: N functions that nobody calls, with long C++ names, code of a kilobyte and four unwind rows each, so
# that the program which links them is as large as some are: awk -v n=N -f filler.awk
BEGIN {
    print ".text"
    for (i = 0; i < n; i++) {
        name = sprintf("_ZN6fillerILm%dEE", i)
        for (k = 0; k < 10; k++)
            name = name sprintf("20the_namespace_part_%d", k)
        name = name "3runEv"
        printf ".globl %s\n.type %s, @function\n%s:\n.cfi_startproc\n", name, name, name
        print "push %rbx\n.cfi_def_cfa_offset 16\n.cfi_offset 3, -16\nsub $64, %rsp\n.cfi_def_cfa_offset 80\n.fill 1000, 1, 0x90"
        print "add $64, %rsp\n.cfi_def_cfa_offset 16\npop %rbx\n.cfi_def_cfa_offset 8\nret\n.cfi_endproc"
        printf ".size %s, .-%s\n", name, name
    }
    print ".section .note.GNU-stack,\"\",@progbits"
}
