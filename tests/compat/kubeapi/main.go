// Names what is built here, so that go.mod and go.sum say exactly of what it is made:
//
//	go build k8s.io/kubernetes/cmd/kube-apiserver
//
// (Kubernetes' own go.mod replaces its staging modules by folders, so go install refuses it.)
package main

import _ "k8s.io/kubernetes/cmd/kube-apiserver/app"

func main() {}
