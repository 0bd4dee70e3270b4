/** The page of its own: all rooms, Python over a websocket, or what was recorded when the page was written. */

import { Connection, socketLine } from "./connection.js";
import { mount } from "./explorer.js";
import { fitRoom } from "./fit_room.js";
import { functionsRoom } from "./functions_room.js";
import { machineRoom } from "./machine_room.js";
import { unitsRoom } from "./units_room.js";

const served = location.protocol.startsWith("http");
const recorded = document.getElementById("halfwave-recorded");
const connection = served
  ? new Connection(socketLine(`${location.protocol.replace("http", "ws")}//${location.host}/ws`))
  : new Connection(null, recorded ? JSON.parse(recorded.textContent) : []);
const rooms = [functionsRoom, unitsRoom, fitRoom, machineRoom];
mount(document.getElementById("halfwave-explorer"), { rooms, connection, address: true });
