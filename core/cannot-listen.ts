import { TruecountError } from './errors.js';

/** The error of a server whose port is taken, or is not its to take; `setting` names what sets it. */
export function cannotListen(
  { host, port }: { readonly host: string; readonly port: number },
  setting: string,
  cause: unknown,
): TruecountError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  return new TruecountError('conflict', `cannot listen on ${host}:${String(port)} (${code})`, {
    hint: `set another ${setting}, or 0 for a free one`,
    cause,
  });
}
