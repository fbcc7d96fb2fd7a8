// The peer of the benchmark: the same relay on Node's `ws`, with the same checks, written to be fast.
//
//   node relay.mjs --port 8788 [--host 127.0.0.1] [--key key.pem --cert cert.pem]
//
// It implements the messages, errors, limits and REST API of docs/protocol.md. Like the measured server by default, it
// writes lines of a log, and counts messages by type and sender. What no figure of the benchmark touches is simpler: no
// grace for lost homes, a takeover from another address is refused without a check, no state file.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { isIPv6 } from 'node:net';
import { parseArgs } from 'node:util';
import { WebSocketServer } from 'ws';
import { Budget, Windows } from './limits.mjs';

const { values: options } = parseArgs({
  options: {
    port: { type: 'string', default: '8788' },
    host: { type: 'string' },
    key: { type: 'string' },
    cert: { type: 'string' },
  },
});

const MAX_MESSAGE = 64 * 1024;
const MAX_UNSENT = 1024 * 1024;
const CONNECTIONS_PER_ADDRESS = 100;
const HOME_SESSIONS = 64;
const READY_TIMEOUT = 10_000;
const PING_SLOTS = 30;
const MOST_DROPS = 100;
const MOST_BAD = 50;
const MOST_GUESSES = 10;
const MINUTE = 60_000;

const SESSION_ALLOWANCE = { burst: 200, rate: 20, byteBurst: 512 * 1024, byteRate: 64 * 1024 };
const CONTROL_ALLOWANCE = { burst: 50, rate: 5, byteBurst: Infinity, byteRate: 0 };

const homes = new Map(); // Remote ID → Home
const sessions = new Map(); // session ID → Session
const open = new Map(); // address → how many connections are open
const guesses = new Map(); // address → Map of unknown Remote IDs and when they were asked for
const blocked = new Map(); // address → until when its lookups are blocked
const connections = new Windows(100);
const lookups = new Windows(100);
const slots = Array.from({ length: PING_SLOTS }, () => new Set());
let slot = 0;
let clients = 0;
let pending = 0;

const PING = '{"type":"ping"}';
const PONG = '{"type":"pong"}';
const PEER_DISCONNECTED = '{"type":"peer-disconnected"}';
const TEXT = { binary: false };

class Refused extends Error {
  constructor(text, code, retryAfter) {
    super(text);
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

class Home {
  constructor(remoteId, connection) {
    this.remoteId = remoteId;
    this.connection = connection;
    this.iceServers = undefined;
    this.sessions = new Map();
    this.requests = null;
    this.addresses = null;
  }

  // Milliseconds until a new session fits; an address's first one in a minute always does.
  admit(address, now) {
    this.requests ??= new Windows(30);
    this.addresses ??= new Windows(1);
    const first = this.addresses.count(address, now) === 0;
    const wait = this.requests.count('', now);
    return first ? 0 : wait;
  }
}

class Session {
  constructor(client, home) {
    this.id = randomBytes(16).toString('hex');
    this.client = client;
    this.home = home;
    this.fromClient = new Budget(SESSION_ALLOWANCE);
    this.fromHome = new Budget(SESSION_ALLOWANCE);
    this.open = false;
    this.began = performance.now();
    this.timer = setTimeout(becomeOpen, READY_TIMEOUT, this, undefined);
    pending++;
  }
}

class Connection {
  constructor(ws, address) {
    this.ws = ws;
    this.address = address;
    this.budget = new Budget(CONTROL_ALLOWANCE);
    this.home = null;
    this.session = null;
    this.client = false;
    this.alive = true;
    this.bad = 0;
    this.slot = slot;
  }

  send(text) {
    this.ws.send(text);
  }

  forward(payload) {
    this.ws.send(payload, TEXT);
  }

  roomFor(size) {
    const unsent = this.ws.bufferedAmount + size;
    if (unsent > MAX_UNSENT) this.ws.terminate();
    return unsent <= MAX_UNSENT / 2;
  }
}

// --- messages

const handlers = {
  __proto__: null,
  'offer': forward,
  'answer': forward,
  'ice-candidate': forward,
  'session-ready': sessionReady,
  'register-server': registerServer,
  'connect-request': connectRequest,
  'ping': (connection) => {
    charge(connection, connection.budget, 0);
    connection.send(PONG);
  },
  'pong': (connection) => charge(connection, connection.budget, 0),
};

function onMessage(payload) {
  const connection = this.connection;
  try {
    const message = parse(connection, payload);
    const handle = handlers[message.type];
    count(connection, handle === undefined ? 'other' : message.type, payload.length);
    if (handle === undefined) {
      charge(connection, connection.budget, 0);
      throw new Refused(`Unknown message type: ${message.type.slice(0, 64)}`, 'unknown-type');
    }
    handle(connection, message, payload);
  } catch (error) {
    if (error === DROPPED) return;
    if (!(error instanceof Refused)) throw error;
    connection.send(errorText(error));
  }
}

const traffic = new Map(); // type and sender → numbers of messages and of bytes

function count(connection, type, size) {
  const key = connection.home === null ? type : `${type} of a home`;
  let tally = traffic.get(key);
  if (tally === undefined) traffic.set(key, (tally = { messages: 0, bytes: 0 }));
  tally.messages++;
  tally.bytes += size;
}

function log(text) {
  console.log(`${new Date().toISOString()} ${text}`);
}

function parse(connection, payload) {
  let message;
  try {
    message = JSON.parse(payload);
  } catch {
    message = null;
  }
  if (message === null || typeof message !== 'object' || Array.isArray(message) || typeof message.type !== 'string') {
    if (++connection.bad > MOST_BAD) connection.ws.close(1008, 'Too many bad messages');
    charge(connection, connection.budget, 0);
    throw new Refused('Invalid message format', 'bad-message');
  }
  return message;
}

const DROPPED = Symbol('dropped');

function charge(connection, budget, size) {
  const now = performance.now();
  if (budget.spend(now, size)) return;
  if (budget.drops >= MOST_DROPS && (connection.home === null || budget === connection.budget)) {
    connection.ws.close(4029, 'Rate limited');
  } else if (budget.mayTell(now)) {
    connection.send(errorText(rateLimited(budget.wait())));
  }
  throw DROPPED;
}

function remoteIdOf(message) {
  const value = message.remoteId;
  if (typeof value !== 'string' || value === '') throw new Refused('Remote ID required', 'remote-id-required');
  const remoteId = normalise(value);
  if (remoteId === null) throw new Refused('Invalid Remote ID', 'invalid-remote-id');
  return remoteId;
}

function normalise(text) {
  const remoteId = text.trim();
  return /^[A-Za-z0-9_-]{1,64}$/.test(remoteId) ? remoteId.toUpperCase() : null;
}

function registerServer(connection, message) {
  charge(connection, connection.budget, 0);
  if (connection.client) throw new Refused('Already connected as a client', 'wrong-role');
  const remoteId = remoteIdOf(message);
  let home = homes.get(remoteId);
  if (home === undefined) {
    home = new Home(remoteId, connection);
    homes.set(remoteId, home);
  } else if (home.connection !== connection) {
    const holder = home.connection;
    if (holder.address !== connection.address) {
      connection.send(
        errorText(new Refused('Remote ID is in use by a server that is online', 'remote-id-taken')),
      );
      connection.ws.close(1013);
      return;
    }
    holder.home = null;
    holder.ws.close(4000, 'Replaced by new connection');
    home.connection = connection;
  }
  if (connection.home !== null && connection.home !== home) homeLeft(connection.home);
  connection.home = home;
  home.iceServers = Array.isArray(message.iceServers) ? message.iceServers : undefined;
  connection.send(JSON.stringify({ type: 'registered', remoteId }));
  log(`${connection.address}: home ${remoteId.slice(0, 4)}… registered`);
}

function connectRequest(connection, message) {
  charge(connection, connection.budget, 0);
  if (connection.home !== null) throw new Refused('Already registered as a server', 'wrong-role');
  const home = find(connection, remoteIdOf(message));
  if (connection.session !== null) clientLeft(connection.session);
  if (!home.connection.roomFor(0) || home.sessions.size >= HOME_SESSIONS) throw homeBusy(1);
  const wait = home.admit(connection.address, performance.now());
  if (wait > 0) throw homeBusy(wait / 1000);
  const session = new Session(connection, home);
  connection.session = session;
  connection.client = true;
  sessions.set(session.id, session);
  home.sessions.set(session.id, session);
  home.connection.send(JSON.stringify({ type: 'client-connected', sessionId: session.id }));
}

function find(connection, remoteId) {
  const { address } = connection;
  const now = performance.now();
  const wait = Math.max((blocked.get(address) ?? 0) - now, lookups.count(address, now));
  if (wait > 0) throw rateLimited(wait / 1000);
  const home = homes.get(remoteId);
  if (home !== undefined) return home;
  if (guess(address, remoteId, now)) {
    connection.send(
      errorText(new Refused('Too many failed attempts. You have been temporarily blocked.', 'blocked')),
    );
    connection.ws.close(4008, 'Blocked for brute force');
    throw DROPPED;
  }
  throw new Refused(
    'Server not found. Make sure your Music Assistant server is running and has Remote Access enabled.',
    'server-not-found',
  );
}

function guess(address, remoteId, now) {
  let known = guesses.get(address);
  if (known === undefined) guesses.set(address, (known = new Map()));
  for (const [each, at] of known) {
    if (now - at < MINUTE) break;
    known.delete(each);
  }
  known.delete(remoteId);
  known.set(remoteId, now);
  if (known.size < MOST_GUESSES) return false;
  known.clear();
  blocked.set(address, now + MINUTE);
  return true;
}

function sessionIdOf(connection, message) {
  const { sessionId } = message;
  if (typeof sessionId === 'string' && sessionId !== '') return sessionId;
  charge(connection, connection.budget, 0);
  throw new Refused('Session ID required', 'session-id-required');
}

function sessionReady(connection, message, payload) {
  const session = sessions.get(sessionIdOf(connection, message));
  const own = session !== undefined && session.home === connection.home;
  charge(connection, own ? session.fromHome : connection.budget, payload.length);
  if (session === undefined || session.open) return;
  if (connection.home === null) throw new Refused('Not a registered server', 'not-a-server');
  if (own) becomeOpen(session, message.iceServers);
}

function becomeOpen(session, iceServers = session.home.iceServers) {
  clearTimeout(session.timer);
  session.open = true;
  pending--;
  clients++;
  const list = Array.isArray(iceServers) ? iceServers : undefined; // undefined: the key is left out
  session.client.send(
    JSON.stringify({ type: 'connected', remoteId: session.home.remoteId, sessionId: session.id, iceServers: list }),
  );
}

function forward(connection, message, payload) {
  if (connection.home !== null) forwardToClient(connection, message, payload);
  else if (connection.client) forwardToHome(connection, message, payload);
  else {
    charge(connection, connection.budget, 0);
    throw new Refused('Not registered', 'not-registered');
  }
}

function forwardToHome(connection, message, payload) {
  const { session } = connection;
  if (session === null) {
    charge(connection, connection.budget, 0);
    throw new Refused('Session not found', 'session-not-found');
  }
  charge(connection, session.fromClient, payload.length);
  if (!session.open) throw new Refused('Session not found', 'session-not-found');
  const peer = session.home.connection;
  if (!peer.roomFor(payload.length)) throw homeBusy(1);
  if (message.sessionId === session.id) {
    peer.forward(payload);
  } else {
    message.sessionId = session.id;
    peer.send(JSON.stringify(message));
  }
}

function forwardToClient(connection, message, payload) {
  const session = sessions.get(sessionIdOf(connection, message));
  if (session === undefined || session.home !== connection.home) {
    charge(connection, connection.budget, 0);
    throw new Refused('Client not found', 'client-not-found');
  }
  charge(connection, session.fromHome, payload.length);
  if (!session.open) throw new Refused('Client not found', 'client-not-found');
  if (!session.client.roomFor(payload.length)) throw homeBusy(1);
  session.client.forward(payload);
}

function errorText({ message: error, code, retryAfter }) {
  return JSON.stringify({ type: 'error', error, code, retryAfter });
}

function rateLimited(seconds) {
  const wait = Math.max(1, Math.ceil(seconds));
  return new Refused(`Rate limited. Try again in ${wait} seconds.`, 'rate-limited', wait);
}

function homeBusy(seconds) {
  const wait = Math.max(1, Math.ceil(seconds));
  return new Refused(`Too many connections to this server. Try again in ${wait} seconds.`, 'home-busy', wait);
}

// --- endings

function end(session) {
  clearTimeout(session.timer);
  sessions.delete(session.id);
  session.home.sessions.delete(session.id);
  session.client.session = null;
  if (session.open) clients--;
  else pending--;
  const lasted = ((performance.now() - session.began) / 1000).toFixed(1);
  log(`session ${session.id.slice(0, 8)} of home ${session.home.remoteId.slice(0, 4)}… ended after ${lasted} s`);
}

function clientLeft(session) {
  end(session);
  session.home.connection.send(JSON.stringify({ type: 'client-disconnected', sessionId: session.id }));
}

function homeLeft(home) {
  homes.delete(home.remoteId);
  for (const session of home.sessions.values()) {
    session.client.send(
      session.open ? PEER_DISCONNECTED : errorText(new Refused('Server disconnected', 'server-disconnected')),
    );
    end(session);
  }
}

function onClose() {
  const { connection } = this;
  slots[connection.slot].delete(connection);
  const left = open.get(connection.address) - 1;
  if (left > 0) open.set(connection.address, left);
  else open.delete(connection.address);
  if (connection.session !== null) clientLeft(connection.session);
  if (connection.home !== null) {
    homeLeft(connection.home);
    log(`home ${connection.home.remoteId.slice(0, 4)}… left`);
  }
}

function onPong() {
  this.connection.alive = true;
}

function onError() {} // 'close' follows

// --- keep-alive: everybody once in 30 s, a thirtieth of them each second

setInterval(() => {
  slot = (slot + 1) % PING_SLOTS;
  for (const connection of slots[slot]) {
    if (!connection.alive) {
      connection.ws.terminate();
      continue;
    }
    connection.alive = false;
    connection.ws.ping();
    connection.send(PING);
  }
  const now = performance.now();
  connections.prune(now);
  lookups.prune(now);
  for (const [address, until] of blocked) if (until <= now) blocked.delete(address);
  for (const [address, known] of guesses) {
    if (Math.max(0, ...known.values()) + MINUTE <= now) guesses.delete(address);
  }
}, 1000);

// --- HTTP

const JSON_HEADERS = {
  'Content-Type': 'application/json',
  'Access-Control-Allow-Origin': '*',
  'X-Content-Type-Options': 'nosniff',
};

function answer(response, status, body, headers = {}) {
  response.writeHead(status, { ...JSON_HEADERS, ...headers });
  response.end(JSON.stringify(body));
}

function onRequest(request, response) {
  const path = request.url.split('?', 1)[0];
  if (request.method === 'OPTIONS') {
    const headers = { 'Access-Control-Allow-Methods': 'GET, OPTIONS', 'Access-Control-Allow-Headers': 'Content-Type' };
    response.writeHead(204, { ...JSON_HEADERS, ...headers }).end();
  } else if (request.method !== 'GET' && request.method !== 'HEAD') {
    answer(response, 405, { error: 'Method not allowed' });
  } else if (path === '/health') {
    answer(response, 200, {
      status: 'ok',
      version: 'benchmark',
      servers: homes.size,
      clients,
      pendingClients: pending,
      rateLimiter: { trackedIps: connections.size, blockedIps: blocked.size, failedLookupTracked: guesses.size },
    });
  } else if (path.startsWith('/api/check/')) {
    check(request, response, path.slice('/api/check/'.length));
  } else if (path === '/ws') {
    answer(response, 426, { error: 'Upgrade Required' }, { Upgrade: 'websocket' });
  } else {
    answer(response, 404, { error: 'Not found' });
  }
}

function check(request, response, text) {
  const address = addressOf(request);
  const now = performance.now();
  const wait = Math.max((blocked.get(address) ?? 0) - now, lookups.count(address, now));
  if (wait > 0) {
    const retryAfter = Math.ceil(wait / 1000);
    answer(response, 429, { error: 'Rate limited', retryAfter }, { 'Retry-After': retryAfter });
    return;
  }
  const remoteId = normalise(text);
  const online = remoteId !== null && homes.has(remoteId);
  if (!online && remoteId !== null && guess(address, remoteId, now)) {
    answer(response, 429, { error: 'Too many failed attempts. You have been temporarily blocked.' });
  } else {
    answer(response, 200, { online });
  }
}

function isLoopback(address) {
  return address.startsWith('127.') || address === '::1' || address.startsWith('::ffff:127.');
}

// The socket's address, or the client address that a proxy on this machine reports: from the right, skipping proxies.
function addressOf(request) {
  let address = request.socket.remoteAddress ?? '127.0.0.1';
  const forwarded = request.headers['x-forwarded-for'];
  if (forwarded === undefined || !isLoopback(address)) return keyOf(address);
  const hops = forwarded.split(',');
  for (let at = hops.length - 1; at >= 0; at--) {
    address = hops[at].trim();
    if (!isLoopback(address)) break;
  }
  return keyOf(address);
}

function keyOf(address) {
  if (!isIPv6(address)) return address;
  if (address.startsWith('::ffff:')) return address.slice(7);
  const [head, tail] = address.split('::');
  const groups = head.split(':');
  if (tail !== undefined) groups.push('0', '0', '0', '0');
  return `${groups.slice(0, 4).join(':')}::/64`;
}

// --- WebSocket

const upgrader = new WebSocketServer({
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  maxPayload: MAX_MESSAGE,
});

function onUpgrade(request, socket, head) {
  const path = request.url.split('?', 1)[0];
  if (path !== '/ws') {
    refuse(socket, '404 Not Found', { error: 'Not found' });
    return;
  }
  const address = addressOf(request);
  const count = open.get(address) ?? 0;
  const wait = connections.count(address, performance.now());
  if (wait > 0 || count >= CONNECTIONS_PER_ADDRESS) {
    const retryAfter = Math.max(1, Math.ceil(wait / 1000));
    refuse(socket, '429 Too Many Requests', { error: 'Rate limited', retryAfter }, `Retry-After: ${retryAfter}\r\n`);
    return;
  }
  upgrader.handleUpgrade(request, socket, head, (ws) => {
    open.set(address, (open.get(address) ?? 0) + 1);
    const connection = new Connection(ws, address);
    ws.connection = connection;
    slots[connection.slot].add(connection);
    ws.on('message', onMessage);
    ws.on('pong', onPong);
    ws.on('close', onClose);
    ws.on('error', onError);
  });
}

function refuse(socket, status, body, headers = '') {
  const text = JSON.stringify(body);
  socket.on('error', onError);
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\n${headers}` +
      `Content-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`,
  );
}

const timeouts = { headersTimeout: 10_000, requestTimeout: 10_000 };
const server =
  options.key === undefined
    ? http.createServer(timeouts, onRequest)
    : https.createServer(
        { ...timeouts, key: readFileSync(options.key), cert: readFileSync(options.cert) },
        onRequest,
      );
server.on('upgrade', onUpgrade);
// After a restart all homes come back at the same time: let the kernel queue as many as it can.
server.listen({ port: Number(options.port), host: options.host, backlog: 4096 }, () => {
  console.log(`${new Date().toISOString()} listening on port ${options.port}, node ${process.version}`);
});
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
