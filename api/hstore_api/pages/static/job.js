"use strict";
// Follows a job by server-sent events; where those do not come, by asking for the moving part now and then.
(function () {
  const POLL_MS = 3000;
  let part = document.getElementById("job-state");
  if (!part || part.dataset.final === "yes") return;
  const address = "/jobs/" + encodeURIComponent(part.dataset.job);

  function refresh() {
    return fetch(address, { headers: { "HX-Request": "true" } })
      .then((answer) => { if (!answer.ok) throw new Error(String(answer.status)); return answer.text(); })
      .then(function (text) {
        const made = new DOMParser().parseFromString(text, "text/html").getElementById("job-state");
        part.replaceWith(made);
        part = made;
        toEnd();
        return part.dataset.final === "yes";
      });
  }

  function poll() {
    setTimeout(follow, POLL_MS);
  }

  // looks again and again until the job is over, also where one look fails
  function follow() {
    refresh().then((over) => { if (!over) poll(); }, poll);
  }

  function toEnd() {
    const log = document.getElementById("job-log");
    log.scrollTop = log.scrollHeight;
  }

  function add(line, kind) {
    const item = document.createElement("li"), at = document.createElement("time");
    at.textContent = line.at.slice(11, 19);
    if (kind === "step") item.className = "step";
    item.append(at, line.message);
    document.getElementById("job-log").append(item);
    toEnd();
  }

  const stream = new EventSource("/v1" + address + "/events?after=" + part.dataset.after);
  for (const kind of ["step", "info", "end"]) stream.addEventListener(kind, (event) => add(JSON.parse(event.data), kind));
  stream.addEventListener("job", function (event) {
    const job = JSON.parse(event.data);
    document.getElementById("job-progress").value = job.progress;
    document.getElementById("job-step").textContent = job.step;
    document.getElementById("job-badge").textContent = job.state;
    if (["done", "failed", "cancelled"].includes(job.state)) {
      stream.close();
      follow();
    }
  });
  stream.addEventListener("error", function () {
    if (stream.readyState === EventSource.CLOSED) poll();
  });
  toEnd();
})();
