package client

import (
	"encoding/json"
	"errors"
	"net/http"
	"os/exec"
	"path/filepath"

	"github.com/gorilla/websocket"
	"github.com/hashicorp/nomad/api"
	"github.com/hashicorp/yamux"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/wire"
)

// exec runs a command beside a task, and sends what it says when it has ended. Its input is closed.
func (c *Client) exec(w http.ResponseWriter, r *http.Request) {
	a := c.allocOf(w, r)
	if a == nil {
		return
	}
	var command []string
	if err := json.Unmarshal([]byte(r.URL.Query().Get("command")), &command); err != nil || len(command) == 0 {
		http.Error(w, "command is not present", http.StatusBadRequest)
		return
	}
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // it has answered
	}
	defer conn.Close()
	cmd := exec.CommandContext(r.Context(), command[0], command[1:]...)
	cmd.Dir = filepath.Join(a.dir, filepath.Base(r.URL.Query().Get("task")))
	said, err := cmd.CombinedOutput()
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		code, said = -1, []byte(err.Error())
	}
	for _, frame := range []api.ExecStreamingOutput{
		{Stdout: &api.ExecStreamingIOOperation{Data: said}},
		{Exited: true, Result: &api.ExecStreamingExitResult{ExitCode: code}},
	} {
		if conn.WriteJSON(frame) != nil {
			return
		}
	}
	_ = conn.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
}

// registerAgain tells the servers what has changed of the node.
func (c *Client) registerAgain(session *yamux.Session) error {
	main, err := wire.Open(session)
	if err != nil {
		return err
	}
	_, err = c.register(main)
	return errors.Join(err, main.Close())
}
