package auth

import "context"

// Signed says whether raw is a token of this installation, whether or not it is
// still good: one that must not be handed on to anybody. Where the keys cannot be
// asked, whatever looks like one is.
func (a *Auth) Signed(ctx context.Context, raw string) bool {
	t, err := parse(raw)
	if err != nil {
		return false
	}
	secret, err := a.cfg.Keys.Derived(ctx, t.key, keyPurpose)
	if err != nil {
		return refused(err, errToken) != errToken
	}
	_, err = t.claims(secret)
	return err == nil
}
