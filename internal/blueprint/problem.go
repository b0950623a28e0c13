package blueprint

// Problem is something in a template with which no member can be made or would start.
type Problem struct {
	// Reason is one of the API's reasons for TemplateValid.
	Reason string
	// Message names the field, what is wrong with it, and what to do.
	Message string
}
