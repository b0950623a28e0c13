package acl

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/hashicorp/nomad/api"
)

// defaultAlgorithms are what an auth method takes that names none.
var defaultAlgorithms = []string{"RS256"}

// Login verifies a JWT by an auth method (facts/nomad.md §4) and returns its claims. Keys are fetched, if the method
// says so, within ctx.
func Login(ctx context.Context, method *api.ACLAuthMethod, token string, now time.Time) (jwt.MapClaims, error) {
	config := method.Config
	if config == nil {
		config = &api.ACLAuthMethodConfig{}
	}
	keys, err := keysOf(ctx, config)
	if err != nil {
		return nil, &Error{http.StatusInternalServerError, err.Error()}
	}
	algorithms := config.SigningAlgs
	if len(algorithms) == 0 {
		algorithms = defaultAlgorithms
	}
	claims := jwt.MapClaims{}
	_, err = jwt.ParseWithClaims(token, claims, keys.choose, jwt.WithValidMethods(algorithms),
		jwt.WithLeeway(max(config.ClockSkewLeeway, config.ExpirationLeeway, config.NotBeforeLeeway)),
		jwt.WithTimeFunc(func() time.Time { return now }))
	if err == nil {
		err = bound(config, claims)
	}
	if err != nil {
		return nil, &Error{http.StatusInternalServerError, fmt.Sprintf("unable to validate provided token: %v", err)}
	}
	return claims, nil
}

// bound checks who issued the token and whom it is for.
func bound(config *api.ACLAuthMethodConfig, claims jwt.MapClaims) error {
	issuer, err := claims.GetIssuer()
	if err != nil {
		return err
	}
	if len(config.BoundIssuer) > 0 && !slices.Contains(config.BoundIssuer, issuer) {
		return fmt.Errorf("invalid issuer: %q", issuer)
	}
	audience, err := claims.GetAudience()
	if err != nil {
		return err
	}
	for _, a := range audience {
		if slices.Contains(config.BoundAudiences, a) {
			return nil
		}
	}
	if len(config.BoundAudiences) > 0 {
		return fmt.Errorf("invalid audience: %v", audience)
	}
	return nil
}

// Identity is what a login may be judged by: the claims that the method maps.
type Identity struct {
	// Value are single claims, List those with several values, by the names that they are mapped to.
	Value map[string]string   `bexpr:"value"`
	List  map[string][]string `bexpr:"list"`
}

// IdentityOf maps claims as the method says.
func IdentityOf(config *api.ACLAuthMethodConfig, claims jwt.MapClaims) Identity {
	id := Identity{Value: map[string]string{}, List: map[string][]string{}}
	if config == nil {
		return id
	}
	for path, name := range config.ClaimMappings {
		if v, ok := claimAt(claims, path); ok {
			id.Value[name] = fmt.Sprint(v)
		}
	}
	for path, name := range config.ListClaimMappings {
		v, ok := claimAt(claims, path)
		if !ok {
			continue
		}
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		for _, one := range list {
			id.List[name] = append(id.List[name], fmt.Sprint(one))
		}
	}
	return id
}

// claimAt finds a claim by its name, or by a JSON pointer to a nested one.
func claimAt(claims map[string]any, path string) (any, bool) {
	rest, nested := strings.CutPrefix(path, "/")
	if !nested {
		v, ok := claims[path]
		return v, ok
	}
	var value any = claims
	for _, part := range strings.Split(rest, "/") {
		if c, ok := value.(jwt.MapClaims); ok {
			value = map[string]any(c)
		}
		object, ok := value.(map[string]any)
		if !ok {
			return nil, false
		}
		if value, ok = object[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]; !ok {
			return nil, false
		}
	}
	return value, true
}
