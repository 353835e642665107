package store

import (
	"fmt"

	"github.com/troupe-cloud/troupe/messages"
)

// CheckTxn refuses, with an Invalid error, what no Store takes.
func CheckTxn(txn Txn) error {
	if len(txn.Writes) > MaxTxnWrites || len(txn.Checks) > MaxTxnWrites {
		return fmt.Errorf("a transaction of %d writes and %d checks; the limit is %d: %w",
			len(txn.Writes), len(txn.Checks), MaxTxnWrites, messages.Invalid)
	}
	total := 0
	for _, w := range txn.Writes {
		if err := CheckKey(w.Key); err != nil {
			return err
		}
		if len(w.Value) > MaxValueBytes {
			return fmt.Errorf("the value of %q has %d bytes; the limit is %d: %w",
				w.Key, len(w.Value), MaxValueBytes, messages.Invalid)
		}
		total += len(w.Key) + len(w.Value)
	}
	if total > MaxTxnBytes {
		return fmt.Errorf("a transaction of %d bytes; the limit is %d: %w", total, MaxTxnBytes, messages.Invalid)
	}
	for _, c := range txn.Checks {
		if err := CheckKey(c.Key); err != nil {
			return err
		}
	}
	return nil
}

// CheckKey refuses, with an Invalid error, a key that no Store takes.
func CheckKey(key string) error {
	if key == "" || len(key) > MaxKeyBytes {
		return fmt.Errorf("a key of %d bytes; the limit is 1 to %d: %w", len(key), MaxKeyBytes, messages.Invalid)
	}
	return nil
}

// ListLimit is how many items a List asked for limit may return; an error that
// wraps Invalid if limit is out of range.
func ListLimit(limit int) (int, error) {
	switch {
	case limit == 0:
		return DefaultListSize, nil
	case limit < 0 || limit > MaxListItems:
		return 0, fmt.Errorf("a list of %d items; the limit is %d: %w", limit, MaxListItems, messages.Invalid)
	}
	return limit, nil
}
