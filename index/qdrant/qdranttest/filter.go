package qdranttest

import (
	"slices"

	api "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// check refuses conditions that are not implemented, and those on fields without
// an index that serves them where strict mode forbids them.
func (c *collection) check(f *api.Filter) error {
	if f.GetMinShould() != nil {
		return status.Error(codes.Unimplemented, "qdranttest: min_should")
	}
	for _, cond := range slices.Concat(f.GetMust(), f.GetShould(), f.GetMustNot()) {
		if inner := cond.GetFilter(); inner != nil {
			if err := c.check(inner); err != nil {
				return err
			}
			continue
		}
		key, types := target(cond)
		if key == "" {
			return status.Errorf(codes.Unimplemented, "qdranttest: condition %v", cond)
		}
		t, ok := c.indexed[key]
		if c.strict() && (!ok || types != nil && !slices.Contains(types, t)) {
			return invalid("Bad request: Index required but not found for %q of one of the following types: %v. Help: Create an index for this key or use a different filter.", key, types)
		}
	}
	return nil
}

// target returns the field of a condition and the types of index that serve it, any
// type when there are none. The field is "" when the condition is not implemented.
func target(c *api.Condition) (string, []api.FieldType) {
	switch o := c.GetConditionOneOf().(type) {
	case *api.Condition_IsEmpty:
		return o.IsEmpty.GetKey(), nil
	case *api.Condition_Field:
		m := o.Field.GetMatch()
		switch _, one := m.GetMatchValue().(*api.Match_Keyword); {
		case one || m.GetKeywords() != nil:
			return o.Field.GetKey(), []api.FieldType{api.FieldType_FieldTypeKeyword}
		case o.Field.GetRange() != nil && m == nil:
			return o.Field.GetKey(), []api.FieldType{api.FieldType_FieldTypeInteger, api.FieldType_FieldTypeFloat}
		}
	}
	return "", nil
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
	if e := c.GetIsEmpty(); e != nil {
		_, null := payload[e.GetKey()].GetKind().(*api.Value_NullValue)
		return null || payload[e.GetKey()] == nil
	}
	kind := payload[c.GetField().GetKey()].GetKind()
	if r := c.GetField().GetRange(); r != nil {
		v, ok := kind.(*api.Value_IntegerValue)
		return ok && within(r, float64(v.IntegerValue))
	}
	v, ok := kind.(*api.Value_StringValue)
	if !ok {
		return false
	}
	if m := c.GetField().GetMatch(); m.GetKeywords() != nil {
		return slices.Contains(m.GetKeywords().GetStrings(), v.StringValue)
	}
	return c.GetField().GetMatch().GetKeyword() == v.StringValue
}

func within(r *api.Range, v float64) bool {
	return (r.Lt == nil || v < r.GetLt()) && (r.Gt == nil || v > r.GetGt()) &&
		(r.Gte == nil || v >= r.GetGte()) && (r.Lte == nil || v <= r.GetLte())
}
