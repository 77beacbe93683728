//go:build !linux

package scan_test

import "errors"

func bind(string, string) error { return errors.New("only on Linux") }
