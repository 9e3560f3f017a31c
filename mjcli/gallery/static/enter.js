// Exchange the one-time code in the address for a cookie. The part behind # is sent to no server and no other page.
"use strict";

{
  const code = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  const say = (text) => { document.getElementById("empty").textContent = text; };
  // The browser that was admitted still has the cookie; where it goes from here is no secret.
  const admitted = async () => {
    const path = localStorage.getItem("mj-path");
    return path && (await fetch(path, { method: "HEAD" })).ok ? path : null;
  };
  fetch("/enter", { method: "POST", body: code }).then(async (answer) => {
    const document = await answer.json();
    if (answer.ok) localStorage.setItem("mj-path", document.path);
    const path = answer.ok ? document.path : await admitted();
    if (path) location.replace(path);
    else say(document.message);
  }).catch(() => say("mj gallery does not answer; it may have been stopped."));
}
