/** The page of its own: all rooms, Python over a websocket, or what was recorded when the page was written. */

import { Connection, socketLine } from "./basics/connection.js";
import { mount } from "./explorer.js";
import { fitRoom } from "./fit/room.js";
import { functionsRoom } from "./functions/room.js";
import { machineRoom } from "./machine/room.js";
import { unitsRoom } from "./units/room.js";

const served = location.protocol.startsWith("http");
const recorded = document.getElementById("halfwave-recorded");
const connection = served
  ? new Connection(socketLine(`${location.protocol.replace("http", "ws")}//${location.host}/ws`))
  : new Connection(null, recorded ? JSON.parse(recorded.textContent) : []);
const rooms = [functionsRoom, unitsRoom, fitRoom, machineRoom];
mount(document.getElementById("halfwave-explorer"), { rooms, connection, address: true });
