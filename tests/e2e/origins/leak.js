// Opens a file each 20 ms and keeps it.
const fs = require("fs");
const kept = [];

function handle() {
  kept.push(fs.openSync(__filename)); // the leak
}

setInterval(handle, 20);
