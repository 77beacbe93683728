package main

import "github.com/spf13/cobra"

func newServe(e *env) *cobra.Command  { return &cobra.Command{Use: "serve"} }
func newHealth(e *env) *cobra.Command { return &cobra.Command{Use: "health", Hidden: true} }
