import { TruecountError } from '../core/errors.js';

/** Visible ASCII without quotes, angle brackets and the backslash, which browsers read as `/`. */
const PLAIN = /^[\x21\x23-\x3b\x3d\x3f-\x5b\x5d-\x7e]+$/;
/** Scheme, two slashes, and an authority of a host and perhaps a port: no user, no empty host. */
const HTTP_URL = /^https?:\/\/[a-z0-9.-]+(:\d{1,5})?([/?#]|$)/i;
const DESTINATION_CHARACTERS_MAX = 4096;

/**
 * Where a redirect may lead. `example.com` allows that host at the scheme's own port,
 * `example.com:8443` at that port (`:443` is the own one of https), `*.example.com` all hosts below
 * it and not itself.
 */
export class AllowedDestinations {
  private readonly hosts = new Set<string>();
  private readonly suffixes: string[] = [];

  /** @throws TruecountError `invalid_config` for an entry that is no host */
  constructor(entries: readonly string[]) {
    for (const entry of entries) {
      const text = entry.toLowerCase();
      if (!/^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*(:\d{1,5})?$/.test(text)) {
        throw new TruecountError('invalid_config', `collect.redirectHosts: ${entry} is no host`, {
          hint: 'for example shop.example.com, example.com:8443 or *.example.com',
        });
      }
      if (text.startsWith('*.')) this.suffixes.push(text.slice(1));
      else this.hosts.add(text);
    }
  }

  /**
   * The destination as it may be sent. It is read once, strictly, and written again by the same
   * parser, so that no browser finds another host in it than was looked at here.
   * @throws TruecountError `destination_refused`
   */
  check(to: string): string {
    if (to.length > DESTINATION_CHARACTERS_MAX || !PLAIN.test(to) || !HTTP_URL.test(to)) {
      throw refused('it is no plain http or https address');
    }
    const url = URL.canParse(to) ? new URL(to) : undefined;
    if (url === undefined || url.username !== '' || url.password !== '') {
      throw refused('it is no plain http or https address');
    }
    const { host, hostname, port, protocol } = url; // port: '' where it is the scheme's own
    const ported = `${hostname}:${port === '' ? (protocol === 'https:' ? '443' : '80') : port}`;
    if (!this.has(host) && !this.has(ported)) throw refused('its host is not on the list');
    return url.href;
  }

  private has(host: string): boolean {
    return this.hosts.has(host) || this.suffixes.some((suffix) => host.endsWith(suffix));
  }
}

function refused(why: string): TruecountError {
  return new TruecountError('destination_refused', `the link does not lead anywhere: ${why}`, {
    hint: 'destinations are on hosts of collect.redirectHosts, written as plain ASCII URLs',
  });
}
