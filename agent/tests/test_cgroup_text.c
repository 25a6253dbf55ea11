/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/cgroup_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ID    "3f5d9c0a7be2414f8a6c0de1b2a394857766554433221100ffeeddccbbaa9988"
#define OTHER "1f5d9c0a7be2414f8a6c0de1b2a394857766554433221100ffeeddccbbaa9988"
#define UID   "8f3a1c52-6d0e-4b7f-9a11-0c5d7e9b2f34"
#define UID_  "8f3a1c52_6d0e_4b7f_9a11_0c5d7e9b2f34"
#define V1(path)                                                                                   \
    "12:pids:" path "\n11:cpu,cpuacct:" path "\n10:devices:" path "\n1:name=systemd:" path "\n"

/* The forms are those of real nodes; only the IDs are made up. */
static const struct {
    const char *name, *text, *uid, *id;
    bool has;
    const char *v2_path; /* NULL: none */
} cases[] = {
    { "v2, systemd, containerd",
      "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_
      ".slice/cri-containerd-" ID ".scope\n",
      UID, ID, true,
      "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_
      ".slice/cri-containerd-" ID ".scope" },
    { "v2, systemd, CRI-O",
      "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_ ".slice/crio-" ID
      ".scope\n",
      UID, ID, true,
      "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_ ".slice/crio-" ID
      ".scope" },
    { "v2, systemd, CRI-O with a cgroup of the container's inside",
      "0::/kubepods.slice/kubepods-pod" UID_ ".slice/crio-" ID ".scope/container\n", UID, ID, true,
      "/kubepods.slice/kubepods-pod" UID_ ".slice/crio-" ID ".scope" },
    { "v2, systemd, docker", "0::/kubepods.slice/kubepods-pod" UID_ ".slice/docker-" ID ".scope\n",
      UID, ID, true, "/kubepods.slice/kubepods-pod" UID_ ".slice/docker-" ID ".scope" },
    { "v2, cgroupfs, guaranteed", "0::/kubepods/pod" UID "/" ID "\n", UID, ID, true,
      "/kubepods/pod" UID "/" ID },
    { "v2, cgroupfs, burstable", "0::/kubepods/burstable/pod" UID "/" ID "\n", UID, ID, true,
      "/kubepods/burstable/pod" UID "/" ID },
    { "v1, cgroupfs", V1("/kubepods/besteffort/pod" UID "/" ID), UID, ID, true, NULL },
    { "v1, systemd",
      V1("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_
         ".slice/cri-containerd-" ID ".scope"),
      UID, ID, true, NULL },
    { "hybrid, the v2 line is empty", V1("/kubepods/burstable/pod" UID "/" ID) "0::/\n", UID, ID,
      true, NULL },
    { "hybrid, placed in v2 too",
      V1("/kubepods/burstable/pod" UID "/" ID) "0::/kubepods/burstable/pod" UID "/" ID "\n", UID,
      ID, true, "/kubepods/burstable/pod" UID "/" ID },
    { "systemd path under the cgroupfs driver",
      V1("/system.slice/containerd.service/kubepods-burstable-pod" UID_
         ".slice:cri-containerd:" ID),
      UID, ID, true, NULL },
    { "a node in a container (kind)",
      "0::/docker/" OTHER "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" UID_
      ".slice/cri-containerd-" ID ".scope\n",
      UID, ID, true,
      "/docker/" OTHER "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" UID_
      ".slice/cri-containerd-" ID ".scope" },
    { "relative to a cgroup namespace", "0::/../../besteffort/pod" UID "/" ID "\n", UID, ID, true,
      "/../../besteffort/pod" UID "/" ID },
    { "relative, same pod", "0::/../cri-containerd-" ID ".scope\n", UID, ID, true,
      "/../cri-containerd-" ID ".scope" },
    { "static pod: another UID in the path",
      "0::/kubepods/burstable/pod0123456789abcdef0123456789abcdef/" ID "\n", UID, ID, true,
      "/kubepods/burstable/pod0123456789abcdef0123456789abcdef/" ID },
    { "no UID given", "0::/kubepods/pod" UID "/" ID "\n", NULL, ID, true,
      "/kubepods/pod" UID "/" ID },
    { "short ID below its pod", "0::/kubepods/pod" UID "/app\n", UID, "app", true,
      "/kubepods/pod" UID "/app" },
    { "short ID below another pod", "0::/kubepods/pod" OTHER "/app\n", UID, "app", false,
      "/kubepods/pod" OTHER "/app" },
    { "no newline at the end", "0::/kubepods/pod" UID "/" ID, UID, ID, true,
      "/kubepods/pod" UID "/" ID },
    { "another container of the pod", "0::/kubepods/pod" UID "/" OTHER "\n", UID, ID, false, NULL },
    { "the runtime's monitor",
      "0::/kubepods.slice/kubepods-pod" UID_ ".slice/crio-conmon-" ID ".scope\n", UID, ID, false,
      NULL },
    { "the pod itself", "0::/kubepods/pod" UID "\n", UID, ID, false, NULL },
    { "a longer ID that ends alike", "0::/kubepods/pod" UID "/00" ID "\n", UID, ID, false, NULL },
    { "a process of the node", V1("/system.slice/ssh.service") "0::/system.slice/ssh.service\n",
      UID, ID, false, NULL },
    { "empty", "", UID, ID, false, NULL },
    { "no colons", ID "\n", UID, ID, false, NULL },
    { "one colon", "0:" ID "\n", UID, ID, false, NULL },
    { "empty ID", "0::/kubepods/pod" UID "/\n", UID, "", false, NULL },
};

static void finds_the_container(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char path[512] = "untouched";
        bool has = cgroup_text_has(cases[i].text, cases[i].uid, cases[i].id);
        size_t len = sizeof(path) - 1;
        bool v2 = cgroup_text_v2_path(cases[i].text, cases[i].id, path, sizeof(path), &len);

        if (has != cases[i].has)
            fail_msg("%s: has %d", cases[i].name, has);
        path[v2 ? len : strlen(path)] = '\0';
        if (v2 != (cases[i].v2_path != NULL) ||
            strcmp(path, v2 ? cases[i].v2_path : "untouched") != 0)
            fail_msg("%s: v2 path %d '%s'", cases[i].name, v2, path);
    }
}

static void cuts_no_path(void **state)
{
    char path[16] = "untouched";
    size_t len;

    (void)state;
    assert_false(cgroup_text_v2_path("0::/kubepods/pod1/" ID "\n", ID, path, sizeof(path), &len));
    assert_string_equal(path, "untouched");
}

static void tells_what_is_inside(void **state)
{
    char path[256];
    size_t len = 0;

    (void)state;
    assert_true(cgroup_text_v2_path("3:pids:/a/" ID "/b\n0::/a/" ID "/init/x\n", ID, path,
                                    sizeof(path), &len));
    assert_string_equal(path + len, "/init/x");
}

static void strips_the_scheme(void **state)
{
    (void)state;
    assert_string_equal(cgroup_text_strip_scheme("containerd://" ID), ID);
    assert_string_equal(cgroup_text_strip_scheme("cri-o://" ID), ID);
    assert_string_equal(cgroup_text_strip_scheme(ID), ID);
    assert_string_equal(cgroup_text_strip_scheme("docker://"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_container),
        cmocka_unit_test(cuts_no_path),
        cmocka_unit_test(tells_what_is_inside),
        cmocka_unit_test(strips_the_scheme),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
