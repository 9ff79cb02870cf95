import { createHmac, timingSafeEqual } from 'node:crypto';
import { TruecountError } from '../core/errors.js';
import { checkFieldName, clickQuery, hasControl, queryOf, type ClickQuery } from './query.js';

const SECRET_CHARACTERS_MIN = 32;
const KEY = /^([A-Za-z0-9_-]{1,32}):(.+)$/s;

/** What a signature covers: everything of a link that is acted on or counted. */
export interface Link {
  readonly adId: string;
  readonly to: string;
  /** Second since 1970 from which the link is refused; absent: it holds for ever. */
  readonly exp?: string | undefined;
  readonly eventId?: string | undefined;
  readonly timestamp?: string | undefined;
  readonly fields: ReadonlyMap<string, string>;
}

/** The secrets that links are signed with: the first signs, each of them is accepted. */
export class LinkKeys {
  private readonly secrets = new Map<string, string>();
  private readonly newest: string | undefined;

  /**
   * @param keys `ID:SECRET` each
   * @throws TruecountError `invalid_config`, which does not show a secret
   */
  constructor(keys: readonly string[]) {
    for (const [index, key] of keys.entries()) {
      const [, id = '', secret = ''] = KEY.exec(key) ?? [];
      const fault =
        id === ''
          ? 'is not ID:SECRET'
          : secret.length < SECRET_CHARACTERS_MIN
            ? `has a secret of fewer than ${String(SECRET_CHARACTERS_MIN)} characters`
            : this.secrets.has(id)
              ? 'has the id of another key'
              : undefined;
      if (fault !== undefined) {
        const which = `key ${String(index + 1)}`;
        throw new TruecountError('invalid_config', `collect.linkKeys: ${which} ${fault}`, {
          hint: 'for example k1: and what `openssl rand -hex 32` prints',
        });
      }
      this.secrets.set(id, secret);
    }
    this.newest = this.secrets.keys().next().value;
  }

  /**
   * The query of a link, signed with the first key.
   * @throws TruecountError `invalid_config` without a key, `invalid_argument` for a text that
   * cannot be in a link
   */
  sign(link: Link): string {
    if (this.newest === undefined) {
      throw new TruecountError('invalid_config', 'there is no key to sign links with', {
        hint: 'set TRUECOUNT_COLLECT_LINK_KEYS (or …_FILE) to ID:SECRET, as for the collector',
      });
    }
    for (const name of link.fields.keys()) checkFieldName(name);
    const { adId, to, exp, eventId, timestamp, fields } = link;
    if ([adId, to, exp, eventId, timestamp, ...fields.values()].some((t) => hasControl(t ?? ''))) {
      throw new TruecountError('invalid_argument', 'a link holds no control characters');
    }
    if ([exp, eventId, timestamp].includes('')) {
      throw new TruecountError(
        'invalid_argument',
        'a link holds no empty exp, event_id or timestamp',
      );
    }
    const signed = queryOf([
      ['to', to],
      ['exp', exp],
      ['key', this.newest],
      ['sig', this.signature(this.newest, link).toString('base64url')],
    ]);
    return [clickQuery(link), signed].filter((part) => part !== '').join('&');
  }

  /**
   * Returns if the link is signed and has not expired.
   * @throws TruecountError `signature_invalid`, `link_expired`
   */
  verify(link: Link, query: ClickQuery, nowMs: number): void {
    const key = query.values.get('key') ?? '';
    const given = Buffer.from(query.values.get('sig') ?? '', 'base64url');
    // A key that nobody has is compared like any other: the answer and its time tell nothing.
    const wanted = this.signature(key, link);
    const equal = given.length === wanted.length && timingSafeEqual(given, wanted);
    if (!equal || !this.secrets.has(key)) {
      throw new TruecountError('signature_invalid', 'the link is not signed, or was changed', {
        hint: 'make links with `truecount link` and a key of collect.linkKeys',
      });
    }
    if (link.exp !== undefined && !(Number(link.exp) * 1000 > nowMs)) {
      throw new TruecountError('link_expired', 'the link has expired');
    }
  }

  private signature(key: string, link: Link): Buffer {
    return createHmac('sha256', this.secrets.get(key) ?? 'no such key')
      .update(textToSign(key, link))
      .digest();
  }
}

/**
 * The text that is signed: lines, each for one thing, an absent one empty; fields sorted by name.
 * No text holds a line break, and no link holds an empty `exp`, `event_id` or `timestamp` (query.ts
 * refuses them), so two different links never have the same text.
 */
export function textToSign(key: string, link: Link): string {
  const names = [...link.fields.keys()].sort();
  const fields = names.map((name) => `${name}=${link.fields.get(name)!}`);
  const { adId, to, exp = '', eventId = '', timestamp = '' } = link;
  return ['truecount-link-1', key, adId, to, exp, eventId, timestamp, ...fields].join('\n');
}
