// Runs inside one namespace and opens sockets there on request. Requests are JSON lines on stdin: { id, do, ... }; answers are JSON lines on
// stdout: { id, ok } or { id, error }. Plain JavaScript without dependencies, so that it is up in a few tens of milliseconds.
import dgram from 'node:dgram';
import net from 'node:net';
import readline from 'node:readline';

const servers = new Map();
const held = new Map();
const sockets = new Map();
const streams = new Map();
let nextHandle = 1;
let outbox = '';

/** Answers of one turn of the loop leave in one write. */
function answer(message) {
  if (outbox === '') {
    setImmediate(() => {
      process.stdout.write(outbox);
      outbox = '';
    });
  }
  outbox += `${JSON.stringify(message)}\n`;
}

const outcomes = new Map([
  ['ECONNREFUSED', 'refused'],
  ['ECONNRESET', 'refused'],
  ['EHOSTUNREACH', 'unreachable'],
  ['ENETUNREACH', 'unreachable'],
  ['EACCES', 'unreachable'],
  ['EPERM', 'unreachable'],
  ['ETIMEDOUT', 'timeout'],
]);

/**
 * Calls `over` after so many milliseconds, but not before what has come by then was read: a process that did not run for as long sees its
 * timers before its sockets.
 */
function patience(milliseconds, over) {
  let immediate;
  const timer = setTimeout(() => {
    immediate = setImmediate(over);
  }, milliseconds);
  return {
    stop() {
      clearTimeout(timer);
      clearImmediate(immediate);
    },
  };
}

/** Calls done(outcome, socket, micros) exactly once; done(undefined, error) for errors that say nothing about the network. */
function connect({ address, port, timeoutMs, source, sourcePort }, done) {
  const started = process.hrtime.bigint();
  const socket = net.connect({
    host: address,
    port,
    ...(source ? { localAddress: source } : {}),
    ...(sourcePort ? { localPort: sourcePort } : {}),
  });
  let settled = false;
  const settle = (outcome, value) => {
    if (settled) return;
    settled = true;
    timer.stop();
    done(outcome, value, Number(process.hrtime.bigint() - started) / 1000);
  };
  const timer = patience(timeoutMs, () => {
    if (settled) return;
    socket.destroy();
    settle('timeout');
  });
  socket.on('connect', () => settle('connected', socket));
  socket.on('error', (error) => {
    const outcome = outcomes.get(error.code);
    socket.destroy();
    settle(outcome, error);
  });
}

/** A reset leaves no TIME_WAIT behind, so that thousands of connections a second do not use up the ports. */
function drop(socket) {
  if (!socket.destroyed) socket.resetAndDestroy();
}

const actions = {
  tcpServer({ address, port }, reply) {
    const state = { accepted: 0, open: new Set() };
    const server = net.createServer((socket) => {
      state.accepted++;
      state.open.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => state.open.delete(socket));
      socket.pipe(socket);
    });
    server.on('error', (error) => reply(undefined, error));
    server.listen({ host: address, port, backlog: 4096, ipv6Only: address.includes(':') }, () => {
      const handle = nextHandle++;
      servers.set(handle, { server, state });
      reply({ handle, port: server.address().port });
    });
  },
  tcpServerState({ handle }, reply) {
    const { state } = servers.get(handle);
    reply({ accepted: state.accepted, open: state.open.size });
  },
  tcpServerClose({ handle }, reply) {
    const entry = servers.get(handle);
    servers.delete(handle);
    if (entry === undefined) return reply({});
    for (const socket of entry.state.open) drop(socket);
    entry.server.close(() => reply({}));
  },
  tcpConnect(request, reply) {
    connect(request, (outcome, value, micros) => {
      if (outcome === 'connected') drop(value);
      if (outcome === undefined) reply(undefined, value);
      else reply({ outcome, micros });
    });
  },
  tcpHold(request, reply) {
    connect(request, (outcome, socket) => {
      if (outcome === undefined) return reply(undefined, socket);
      if (outcome !== 'connected') return reply({ outcome });
      const handle = nextHandle++;
      const state = { socket, received: '', closed: false, waiting: undefined };
      socket.setEncoding('utf8');
      socket.setNoDelay(true);
      socket.on('data', (text) => {
        state.received += text;
        state.waiting?.();
      });
      socket.on('close', () => {
        state.closed = true;
        state.waiting?.();
      });
      held.set(handle, state);
      reply({ outcome, handle, localPort: socket.localPort });
    });
  },
  tcpEcho({ handle, text, timeoutMs }, reply) {
    const state = held.get(handle);
    if (state.closed) return reply({ outcome: 'closed' });
    state.received = '';
    const finish = (outcome) => {
      timer.stop();
      state.waiting = undefined;
      reply({ outcome });
    };
    const timer = patience(timeoutMs, () => finish('timeout'));
    state.waiting = () => {
      if (state.received.endsWith(text)) finish('echo');
      else if (state.closed) finish('closed');
    };
    state.socket.write(text);
  },
  tcpRelease({ handle }, reply) {
    const state = held.get(handle);
    held.delete(handle);
    if (state) drop(state.socket);
    reply({});
  },
  udpSocket({ address, port, echo }, reply) {
    const socket = dgram.createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', ipv6Only: address.includes(':') });
    const state = { socket, queue: [], count: 0, refused: 0, waiting: [] };
    socket.on('error', (error) => reply(undefined, error));
    socket.on('message', (message, from) => {
      state.count++;
      if (echo) socket.send(message, from.port, from.address);
      const datagram = { text: message.toString('utf8'), address: from.address, port: from.port };
      const waiter = state.waiting.shift();
      if (waiter) waiter(datagram);
      else if (state.queue.length < 4096) state.queue.push(datagram);
    });
    socket.bind({ address, port }, () => {
      const handle = nextHandle++;
      sockets.set(handle, state);
      reply({ handle, port: socket.address().port });
    });
  },
  udpSend({ handle, address, port, text }, reply) {
    sockets.get(handle).socket.send(text, port, address, (error) => {
      const outcome = error ? outcomes.get(error.code) : 'sent';
      if (outcome === undefined) reply(undefined, error);
      else reply({ outcome });
    });
  },
  udpReceive({ handle, timeoutMs }, reply) {
    const state = sockets.get(handle);
    const first = state.queue.shift();
    if (first) return reply({ datagram: first });
    const waiter = (datagram) => {
      timer.stop();
      reply({ datagram });
    };
    const timer = patience(timeoutMs, () => {
      state.waiting.splice(state.waiting.indexOf(waiter), 1);
      reply({});
    });
    state.waiting.push(waiter);
  },
  udpState({ handle }, reply) {
    reply({ count: sockets.get(handle).count });
  },
  udpClose({ handle }, reply) {
    const state = sockets.get(handle);
    sockets.delete(handle);
    if (state === undefined) return reply({});
    state.socket.close(() => reply({}));
  },
  streamStart({ address, port, perSecond, timeoutMs, source }, reply) {
    const handle = nextHandle++;
    const report = {
      attempts: 0,
      connected: 0,
      refused: 0,
      timeout: 0,
      unreachable: 0,
      skipped: 0,
      errors: 0,
      slowestMicros: 0,
      changes: [],
    };
    const started = performance.now();
    const state = { report, inFlight: 0, stopped: false, idle: undefined, timer: undefined, last: undefined };
    const one = () => {
      report.attempts++;
      state.inFlight++;
      const atMs = Math.round(performance.now() - started);
      connect({ address, port, timeoutMs, source }, (outcome, value, micros) => {
        state.inFlight--;
        if (outcome === 'connected') {
          drop(value);
          report.slowestMicros = Math.max(report.slowestMicros, micros);
        }
        report[outcome ?? 'errors']++;
        const shown = outcome ?? String(value);
        if (shown !== state.last && report.changes.length < 1000) report.changes.push({ atMs, outcome: shown });
        state.last = shown;
        if (state.stopped && state.inFlight === 0) state.idle?.();
      });
    };
    let due = 0;
    let previous = started;
    state.timer = setInterval(() => {
      const now = performance.now();
      due += ((now - previous) * perSecond) / 1000;
      previous = now;
      for (; due >= 1; due--) {
        if (state.inFlight < 8192) one();
        else report.skipped++;
      }
    }, 1);
    streams.set(handle, state);
    reply({ handle });
  },
  streamReport({ handle }, reply) {
    reply({ report: streams.get(handle).report });
  },
  streamStop({ handle }, reply) {
    const state = streams.get(handle);
    clearInterval(state.timer);
    state.stopped = true;
    const finish = () => {
      streams.delete(handle);
      reply({ report: state.report });
    };
    if (state.inFlight === 0) finish();
    else state.idle = finish;
  },
};

const lines = readline.createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const { id, do: action, ...request } = JSON.parse(line);
  let answered = false;
  const reply = (ok, error) => {
    if (answered) return;
    answered = true;
    answer(error === undefined ? { id, ok } : { id, error: `${action}: ${error.code ?? ''} ${error.message}` });
  };
  try {
    actions[action](request, reply);
  } catch (error) {
    reply(undefined, error);
  }
});
lines.on('close', () => process.exit(0));
answer({ id: 0, ok: {} });
