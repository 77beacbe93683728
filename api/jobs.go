package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"

	"semblance"
)

// uploadSource begins the source of an exhibit that was uploaded; the upload's id
// follows, so that no two uploads share an exhibit and none overwrites another.
const uploadSource = "upload"

// UploadSource is the source of the exhibit of an upload.
func UploadSource(spool string) string { return uploadSource + " " + spool }

func isUpload(source string) bool {
	return source == uploadSource || strings.HasPrefix(source, uploadSource+" ")
}

type (
	jobInput struct {
		ID string `path:"id" maxLength:"64" doc:"Of the job"`
	}
	jobsInput struct {
		Case string `query:"case" maxLength:"200" doc:"Only the jobs of this case"`
	}
	jobOutput struct{ Body Job }
	jobsBody  struct {
		Jobs []Job `json:"jobs"`
	}
	jobsOutput struct{ Body jobsBody }
)

func (s *Server) jobRoutes() {
	tags := []string{"jobs"}
	s.raw(huma.Operation{OperationID: "upload", Method: http.MethodPost, Path: "/v1/cases/{number}/uploads", Summary: "Upload media as an exhibit and compare them with collections", Tags: tags,
		Description: "Files stream to the data folder and are removed when their job has ended; what was found stays. The label of the exhibit must be new in the case.",
		Parameters: []*huma.Param{inPath("number", "Number of the case"), inQuery("exhibit", "string", "Label of the exhibit", true), inQuery("against", "string", "Collections, with commas", true),
			inQuery("name", "string", "What the file is called, when it is the body", false), inQuery("serial", "string", "Serial number of the device", false),
			inQuery("acquirer", "string", "Who acquired it", false), inQuery("top", "integer", "Candidates kept of a face", false),
			inQuery("min_face", "integer", minFaceHelp, false), inQuery("min_score", "number", minScoreHelp, false)},
		RequestBody: fileBody("Files with names, or one file"), Responses: answers("202", "The job", "application/json", s.schemaOf(Job{}))}, s.upload)
	do(s, huma.Operation{OperationID: "list-jobs", Method: http.MethodGet, Path: "/v1/jobs", Summary: "List jobs, oldest first", Tags: tags}, s.listJobs)
	do(s, huma.Operation{OperationID: "show-job", Method: http.MethodGet, Path: "/v1/jobs/{id}", Summary: "Show a job", Tags: tags}, s.showJob)
	do(s, huma.Operation{OperationID: "cancel-job", Method: http.MethodPost, Path: "/v1/jobs/{id}/cancel", Summary: "Stop a job; what it recorded is kept", Tags: tags}, s.cancelJob)
	do(s, huma.Operation{OperationID: "pause-job", Method: http.MethodPost, Path: "/v1/jobs/{id}/pause", Summary: "Stop a job until it is resumed; what it recorded is kept", Tags: tags,
		Description: "Answers when it has stopped: nothing more is recorded, and its workers are free. A job that has ended, is paused or was interrupted is a conflict. It stays paused when the service stops."}, s.pauseJob)
	do(s, huma.Operation{OperationID: "resume-job", Method: http.MethodPost, Path: "/v1/jobs/{id}/resume", Summary: "Go on with a job that is paused or was interrupted", Tags: tags,
		Description: "It goes on from what was recorded. A scan that was given passwords can be resumed as long as its command waits; then it is a conflict: scan again on the machine itself."}, s.resumeJob)
	s.raw(huma.Operation{OperationID: "job-events", Method: http.MethodGet, Path: "/v1/jobs/{id}/events", Summary: "Follow a job: server-sent events", Tags: tags,
		Description: "Each event holds the job as it is: event progress while it has not ended, event end when it has ended, which is the last. Last-Event-ID leaves out a state that was seen.",
		Parameters:  []*huma.Param{inPath("id", "Of the job")}, Responses: answers("200", "Events, each with a Job", "text/event-stream", stringSchema())}, s.jobEvents)
}

func (s *Server) upload(c echo.Context) error {
	ctx := c.Request().Context()
	u := Upload{Case: c.Param("number"), Collections: names(c, "against"), Serial: c.QueryParam("serial"), Acquirer: c.QueryParam("acquirer"), Actor: who(ctx)}
	var err error
	if u.Exhibit, err = needed(c, "exhibit", "the label of the exhibit, such as the number on the evidence bag"); err != nil {
		return err
	}
	if err := against(u.Collections); err != nil {
		return err
	}
	top, err := whole(c, "top")
	if err != nil {
		return err
	}
	if top != nil {
		u.Top = min(*top, 1000)
	}
	if u.Detection, err = detection(c); err != nil {
		return err
	}
	if err := s.parts.Jobs.Check(ctx, u); err != nil {
		return err
	}
	if u.Spool, u.Files, u.Bytes, err = s.parts.Spool.Receive(c.Request(), c.QueryParam("name")); err != nil {
		return err
	}
	j, err := s.parts.Jobs.Submit(ctx, u)
	if err != nil {
		return errors.Join(err, s.parts.Spool.Remove(u.Spool))
	}
	s.metrics.uploaded.Add(float64(u.Files))
	s.metrics.bytes.Add(float64(u.Bytes))
	c.Response().Header().Set(echo.HeaderLocation, "/v1/jobs/"+j.ID)
	return c.JSON(http.StatusAccepted, shown(j))
}

// shown is a job without paths of the server in its error.
func shown(j Job) Job {
	j.Error = redact(j.Error)
	if j.Code == semblance.Internal {
		j.Error = "Something went wrong in the service; its log has the cause under this job's id."
	}
	return j
}

func (s *Server) listJobs(ctx context.Context, in *jobsInput) (*jobsOutput, error) {
	var id semblance.CaseID
	if in.Case != "" {
		c, err := s.parts.Cases.Case(ctx, in.Case)
		if err != nil {
			return nil, err
		}
		id = c.ID
	}
	jobs, err := s.parts.Jobs.Jobs(ctx, id)
	for i := range jobs {
		jobs[i] = shown(jobs[i])
	}
	return &jobsOutput{jobsBody{some(jobs)}}, err
}

func (s *Server) showJob(ctx context.Context, in *jobInput) (*jobOutput, error) {
	j, _, err := s.parts.Jobs.Wait(ctx, in.ID, "")
	return &jobOutput{shown(j)}, err
}

func (s *Server) cancelJob(ctx context.Context, in *jobInput) (*jobOutput, error) {
	j, err := s.parts.Jobs.Cancel(ctx, who(ctx), in.ID)
	return &jobOutput{shown(j)}, err
}

func (s *Server) pauseJob(ctx context.Context, in *jobInput) (*jobOutput, error) {
	j, err := s.parts.Pauser.Pause(ctx, who(ctx), in.ID)
	return &jobOutput{shown(j)}, err
}

func (s *Server) resumeJob(ctx context.Context, in *jobInput) (*jobOutput, error) {
	j, err := s.parts.Pauser.Resume(ctx, who(ctx), in.ID)
	return &jobOutput{shown(j)}, err
}

// jobEvents streams the states of a job until it has ended, the caller leaves or the
// service stops. Between states, comments keep the connection open.
func (s *Server) jobEvents(c echo.Context) error {
	ctx, cancel := context.WithCancel(c.Request().Context())
	defer cancel()
	go func() {
		select {
		case <-s.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	seen := c.Request().Header.Get("Last-Event-ID")
	if _, _, err := s.parts.Jobs.Wait(ctx, c.Param("id"), ""); err != nil { // there is one
		return err
	}
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	c.Response().WriteHeader(http.StatusOK)
	for {
		j, mark, err := s.waitJob(ctx, c.Param("id"), seen)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, context.DeadlineExceeded):
			err = send(c, []byte(": still here\n\n"))
		case err != nil:
			return err // after the answer has begun: logged
		default:
			seen = mark
			err = sendJob(c, shown(j), mark)
		}
		if err != nil || j.Ended() {
			return nil
		}
	}
}

// waitJob waits for the next state, for as long as a heartbeat.
func (s *Server) waitJob(ctx context.Context, id, seen string) (Job, string, error) {
	beat, cancel := context.WithTimeout(ctx, s.opts.Heartbeat)
	defer cancel()
	return s.parts.Jobs.Wait(beat, id, seen)
}

func sendJob(c echo.Context, j Job, mark string) error {
	b, err := json.Marshal(j)
	if err != nil {
		return err
	}
	name := "progress"
	if j.Ended() {
		name = "end"
	}
	return send(c, []byte("id: "+mark+"\nevent: "+name+"\ndata: "+string(b)+"\n\n"))
}

func send(c echo.Context, b []byte) error {
	if _, err := c.Response().Write(b); err != nil {
		return err
	}
	return http.NewResponseController(c.Response()).Flush()
}
