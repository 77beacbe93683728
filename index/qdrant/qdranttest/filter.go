package qdranttest

import (
	"slices"

	api "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// check refuses conditions that are not implemented, and those on fields without
// an index where strict mode forbids them.
func (c *collection) check(f *api.Filter) error {
	if f.GetMinShould() != nil {
		return status.Error(codes.Unimplemented, "qdranttest: min_should")
	}
	for _, cond := range slices.Concat(f.GetMust(), f.GetShould(), f.GetMustNot()) {
		switch o := cond.GetConditionOneOf().(type) {
		case *api.Condition_Filter:
			if err := c.check(o.Filter); err != nil {
				return err
			}
		case *api.Condition_Field:
			m := o.Field.GetMatch()
			if _, ok := m.GetMatchValue().(*api.Match_Keyword); !ok && m.GetKeywords() == nil {
				return status.Errorf(codes.Unimplemented, "qdranttest: condition %v", cond)
			}
			if _, ok := c.indexed[o.Field.GetKey()]; c.strict() && !ok {
				return invalid("Bad request: Index required but not found for %q of one of the following types: [keyword]. Help: Create an index for this key or use a different filter.", o.Field.GetKey())
			}
		default:
			return status.Errorf(codes.Unimplemented, "qdranttest: condition %v", cond)
		}
	}
	return nil
}

// holds reports whether a payload fulfills a filter that was checked.
func holds(f *api.Filter, payload map[string]*api.Value) bool {
	fulfilled := func(c *api.Condition) bool { return condition(c, payload) }
	for _, c := range f.GetMust() {
		if !fulfilled(c) {
			return false
		}
	}
	if len(f.GetShould()) > 0 && !slices.ContainsFunc(f.GetShould(), fulfilled) {
		return false
	}
	return !slices.ContainsFunc(f.GetMustNot(), fulfilled)
}

func condition(c *api.Condition, payload map[string]*api.Value) bool {
	if f := c.GetFilter(); f != nil {
		return holds(f, payload)
	}
	v, ok := payload[c.GetField().GetKey()].GetKind().(*api.Value_StringValue)
	if !ok {
		return false
	}
	if m := c.GetField().GetMatch(); m.GetKeywords() != nil {
		return slices.Contains(m.GetKeywords().GetStrings(), v.StringValue)
	}
	return c.GetField().GetMatch().GetKeyword() == v.StringValue
}
