// Exchange the one-time code in the address for a cookie. The part behind # is sent to no server and no other page.
"use strict";

{
  const code = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  const say = (text) => { document.getElementById("empty").textContent = text; };
  fetch("/enter", { method: "POST", body: code }).then(async (answer) => {
    const document = await answer.json();
    if (answer.ok) location.replace(document.path);
    else say(document.message);
  }).catch(() => say("mj gallery does not answer; it may have been stopped."));
}
