// SPDX-License-Identifier: Apache-2.0

// Otel receives the profiles of opentelemetry-ebpf-profiler on the address it is given, and writes them as folded stacks
// when its stdin ends: `thread (pid);frame;...;frame COUNT`, root first, and a line of "# first last", the times of the first and
// the last sample in ns of the Unix epoch. With "lines" as the second argument, frames whose source is known are `name (file:line)`.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path"
	"strings"
	"sync"

	collector "go.opentelemetry.io/proto/otlp/collector/profiles/v1development"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	profiles "go.opentelemetry.io/proto/otlp/profiles/v1development"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip"
)

type receiver struct {
	collector.UnimplementedProfilesServiceServer
	mutex       sync.Mutex
	stacks      map[string]int
	first, last uint64
	withLines   bool
}

func clean(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, ";", ":"), "\n", " ")
}

func text(v *common.AnyValue) string {
	if s, ok := v.GetValue().(*common.AnyValue_StringValue); ok {
		return s.StringValue
	}
	return fmt.Sprint(v.GetIntValue())
}

// The frames of one location, those inlined last; native code has no name.
func frames(d *profiles.ProfilesDictionary, l *profiles.Location, withLines bool) []string {
	var names []string
	for i := len(l.Lines) - 1; i >= 0; i-- {
		function := d.FunctionTable[l.Lines[i].FunctionIndex]
		name := d.StringTable[function.NameStrindex]
		if file := d.StringTable[function.FilenameStrindex]; withLines && file != "" {
			name = fmt.Sprintf("%s (%s:%d)", name, path.Base(file), l.Lines[i].Line)
		}
		names = append(names, clean(name))
	}
	if len(names) == 0 {
		file := d.StringTable[d.MappingTable[l.MappingIndex].FilenameStrindex]
		names = append(names, clean(fmt.Sprintf("[%s+%#x]", path.Base(file), l.Address)))
	}
	return names
}

func (r *receiver) add(d *profiles.ProfilesDictionary, resource map[string]string, s *profiles.Sample) {
	attributes := map[string]string{}
	for key, value := range resource {
		attributes[key] = value
	}
	for _, i := range s.AttributeIndices {
		a := d.AttributeTable[i]
		attributes[d.StringTable[a.KeyStrindex]] = text(a.Value)
	}
	stack := []string{clean(fmt.Sprintf("%s (%s)", attributes["thread.name"], attributes["process.pid"]))}
	locations := d.StackTable[s.StackIndex].LocationIndices
	for i := len(locations) - 1; i >= 0; i-- {
		stack = append(stack, frames(d, d.LocationTable[locations[i]], r.withLines)...)
	}
	count := max(len(s.TimestampsUnixNano), 1)
	r.stacks[strings.Join(stack, ";")] += count
	for _, at := range s.TimestampsUnixNano {
		r.last = max(r.last, at)
		if r.first == 0 || at < r.first {
			r.first = at
		}
	}
}

func (r *receiver) Export(_ context.Context, request *collector.ExportProfilesServiceRequest) (*collector.ExportProfilesServiceResponse, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for _, rp := range request.ResourceProfiles {
		resource := map[string]string{}
		for _, a := range rp.GetResource().GetAttributes() {
			resource[a.Key] = text(a.Value)
		}
		for _, sp := range rp.ScopeProfiles {
			for _, p := range sp.Profiles {
				for _, s := range p.Samples {
					r.add(request.Dictionary, resource, s)
				}
			}
		}
	}
	return &collector.ExportProfilesServiceResponse{}, nil
}

func main() {
	if len(os.Args) < 2 || len(os.Args) > 3 || (len(os.Args) == 3 && os.Args[2] != "lines") {
		fmt.Fprintln(os.Stderr, "usage: otel ADDRESS [lines] <UNTIL-EOF")
		os.Exit(2)
	}
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	r := &receiver{stacks: map[string]int{}, withLines: len(os.Args) == 3}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(64 << 20))
	collector.RegisterProfilesServiceServer(server, r)
	go func() { _ = server.Serve(listener) }()
	_, _ = io.Copy(io.Discard, os.Stdin)
	server.GracefulStop()
	out := bufio.NewWriter(os.Stdout)
	fmt.Fprintf(out, "# %d %d\n", r.first, r.last)
	for stack, count := range r.stacks {
		fmt.Fprintf(out, "%s %d\n", stack, count)
	}
	_ = out.Flush()
}
