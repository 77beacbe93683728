package api

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metrics are what /metrics tells. Labels have few values: the method, the route as
// it is registered, the status, the state of a job.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	refused  prometheus.Counter
	lookups  prometheus.Counter
	uploaded prometheus.Counter
	bytes    prometheus.Counter
}

func newMetrics(jobs func() map[string]int) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "semblance_requests_total", Help: "Requests answered."}, []string{"method", "route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "semblance_request_seconds", Help: "Time to answer, streams included.",
			Buckets: []float64{.005, .02, .1, .5, 2, 10, 60, 300}}, []string{"route"}),
		refused:  prometheus.NewCounter(prometheus.CounterOpts{Name: "semblance_refused_tokens_total", Help: "Requests with a token that is not known."}),
		lookups:  prometheus.NewCounter(prometheus.CounterOpts{Name: "semblance_looked_up_hashes_total", Help: "Hashes looked up over HTTP."}),
		uploaded: prometheus.NewCounter(prometheus.CounterOpts{Name: "semblance_uploaded_items_total", Help: "Files uploaded."}),
		bytes:    prometheus.NewCounter(prometheus.CounterOpts{Name: "semblance_uploaded_bytes_total", Help: "Bytes uploaded."}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.refused, m.lookups, m.uploaded, m.bytes,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&jobCollector{jobs: jobs, desc: prometheus.NewDesc("semblance_jobs", "Jobs by state.", []string{"state"}, nil)})
	return m
}

func (m *metrics) request(method, route string, status int, took time.Duration) {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
	default:
		method = "other" // a caller can make any up
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}

// A jobCollector counts jobs when it is asked.
type jobCollector struct {
	jobs func() map[string]int
	desc *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (j *jobCollector) Describe(ch chan<- *prometheus.Desc) { ch <- j.desc }

// Collect implements prometheus.Collector.
func (j *jobCollector) Collect(ch chan<- prometheus.Metric) {
	for state, n := range j.jobs() {
		ch <- prometheus.MustNewConstMetric(j.desc, prometheus.GaugeValue, float64(n), state)
	}
}

// countJobs counts jobs by state.
func (s *Server) countJobs() map[string]int {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	jobs, err := s.parts.Jobs.Jobs(ctx, "")
	if err != nil {
		s.parts.Log.Error("count the jobs", "cause", causes(err))
		return nil
	}
	n := map[string]int{"queued": 0, "running": 0, "paused": 0, "interrupted": 0, "done": 0, "failed": 0, "canceled": 0}
	for _, j := range jobs {
		n[j.State]++
	}
	return n
}
