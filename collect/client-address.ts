import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

/**
 * The address of the client. Behind proxies that are our own, it is what the outermost of them
 * wrote: the entry of X-Forwarded-For that is `proxyHops` from its end. What stands before it came
 * from outside and is never believed; without a readable entry it is the connection's.
 */
export function clientAddress(request: IncomingMessage, proxyHops: number): string {
  const peer = plain(request.socket.remoteAddress ?? '');
  if (proxyHops === 0) return peer;
  const header = request.headers['x-forwarded-for'];
  const entries = (typeof header === 'string' ? header : '').split(',');
  const entry = plain(entries.at(-proxyHops)?.trim() ?? '');
  return isIP(entry) === 0 ? peer : entry;
}

/** An IPv4 address that came over an IPv6 socket, as IPv4. */
function plain(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

/**
 * Whom a rate limit is for: an IPv4 address, or the /64 of an IPv6 address, which is what one
 * household or machine has.
 */
export function limitedClient(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('%', 1)[0]!.split('::');
  const left = head === '' ? [] : head.split(':');
  if (tail === undefined || left.length >= 4) return left.slice(0, 4).join(':');
  const right = tail === '' ? [] : tail.split(':');
  const zeros = Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0');
  return [...left, ...zeros, ...right].slice(0, 4).join(':');
}
