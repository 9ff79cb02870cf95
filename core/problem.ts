import { ERROR_CODES, type ErrorCode, type TruecountError } from './errors.js';

/** A problem document, RFC 9457, as every HTTP service of truecount gives it. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance: string;
  readonly code: ErrorCode;
  readonly hint?: string;
}

/** The problem document of an error; `requestId` finds the request in the log of the service. */
export function problemOf(error: TruecountError, requestId: string): Problem {
  return {
    type: `urn:truecount:problem:${error.code}`,
    title: error.code.replaceAll('_', ' '),
    status: ERROR_CODES[error.code].status,
    detail: error.message,
    instance: `urn:truecount:request:${requestId}`,
    code: error.code,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  };
}
