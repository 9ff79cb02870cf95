/**
 * The closed list of error codes. A code is never reused for another meaning; retired codes are
 * listed below so that nobody does.
 *
 * `exit` is the process exit code of the CLI (interfaces: 0 ok, 1 failed, 2 wrong usage, 3 not
 * found, 4 conflict or refused, 5 a dependency is unreachable), `status` the HTTP status.
 */
export const ERROR_CODES = {
  internal: { exit: 1, status: 500 },
  invalid_argument: { exit: 2, status: 400 },
  invalid_range: { exit: 2, status: 400 },
  invalid_config: { exit: 2, status: 500 },
  invalid_rule_set: { exit: 2, status: 400 },
  invalid_mapping: { exit: 2, status: 400 },
  not_found: { exit: 3, status: 404 },
  conflict: { exit: 4, status: 409 },
  not_ready: { exit: 5, status: 503 },
  dependency_unreachable: { exit: 5, status: 503 },
  schema_out_of_date: { exit: 5, status: 503 },
  stack_already_running: { exit: 4, status: 409 },
  component_unavailable: { exit: 5, status: 503 },
  log_went_backwards: { exit: 1, status: 500 },
  corrupt_record_batch: { exit: 1, status: 500 },
  invariant_broken: { exit: 1, status: 500 },
  lake_unavailable: { exit: 5, status: 503 },
  lake_file_missing: { exit: 1, status: 500 },
  lake_file_damaged: { exit: 1, status: 500 },
  kernel_failed: { exit: 1, status: 500 },
  validation_failed: { exit: 1, status: 500 },
  revision_conflict: { exit: 4, status: 409 },
  hour_held: { exit: 4, status: 409 },
  approval_stale: { exit: 4, status: 409 },
  collected: { exit: 3, status: 410 },
  workflow_failed: { exit: 1, status: 500 },
  clicks_rejected: { exit: 2, status: 422 },
  body_too_large: { exit: 2, status: 413 },
  headers_too_large: { exit: 2, status: 431 },
  unsupported_content: { exit: 2, status: 415 },
  request_timeout: { exit: 1, status: 408 },
  rate_limited: { exit: 4, status: 429 },
  overloaded: { exit: 5, status: 503 },
  destination_refused: { exit: 4, status: 403 },
  signature_invalid: { exit: 4, status: 403 },
  link_expired: { exit: 3, status: 410 },
  prefetch_refused: { exit: 4, status: 503 },
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/**
 * The one error class of the project. `message` says what happened and where; `hint` what to do;
 * `context` carries values for logs and problem documents (never secrets).
 */
export class TruecountError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly context: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    options: { hint?: string; context?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'TruecountError';
    this.code = code;
    this.hint = options.hint;
    this.context = options.context ?? {};
  }
}
