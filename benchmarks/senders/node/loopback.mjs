// Hosts of the internet that answer from this machine, in this process only.
import net from 'node:net';

const LOCAL = ['127.0.0.1', 'localhost'];

/**
 * Let these hosts, at whatever port, be a port of the loopback interface; refuse all others.
 * The TLS name and the Host header stay as they are.
 */
export function answerFor(hosts, port) {
  const connect = net.Socket.prototype.connect;
  net.Socket.prototype.connect = function aimed(...args) {
    const normalised = Array.isArray(args[0]);
    const options = normalised ? args[0][0] : args[0];
    const to = aim(options, hosts, port);
    if (normalised) args[0][0] = to;
    else args[0] = to;
    return connect.apply(this, args);
  };
}

function aim(options, hosts, port) {
  if (hosts.includes(options.host)) return { ...options, host: '127.0.0.1', port };
  if (LOCAL.includes(options.host)) return options;
  throw new Error(`benchmarks stay on the loopback interface: ${options.host}`);
}
