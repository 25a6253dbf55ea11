# SPDX-License-Identifier: Apache-2.0
#
# Writes the source of many_names: a binary tree of functions with random names, in which each takes the same time
# itself and then calls its two children. Nothing in the names repeats, so a profile of it hardly compresses: the
# page exceeds what a container may leave as its termination message, and what one line of a log may hold.
BEGIN {
    n = 8000
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
    srand(1)

    print "#include \"workload.h\"\n"
    for (i = 1; i <= n; i++) {
        name[i] = substr(alphabet, 1 + int(rand() * 52), 1)
        length_of_name = 60 + int(rand() * 41)
        while (length(name[i]) < length_of_name)
            name[i] = name[i] substr(alphabet, 1 + int(rand() * 63), 1)
        print "static void " name[i] "(void);"
    }
    for (i = n; i >= 1; i--) {
        print "\nDISTINCT static void " name[i] "(void)\n{\n    spin(3000);"
        for (child = 2 * i; child <= 2 * i + 1 && child <= n; child++)
            print "    " name[child] "();"
        print "}"
    }
    print "\nint main(void)\n{\n    end_on_signal();\n    for (;;)\n        " name[1] "();\n}"
}
