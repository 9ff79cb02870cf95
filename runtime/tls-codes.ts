/** Node's codes of a certificate or handshake that was not accepted (`tls`, OpenSSL's X509_V_ERR). */
export const TLS_CODES = /CERT|SIGNATURE|^ERR_(SSL|TLS)|^EPROTO$/;
