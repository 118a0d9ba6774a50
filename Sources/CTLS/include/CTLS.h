#ifndef TOLLGATE_CTLS_H
#define TOLLGATE_CTLS_H

// TLS 1.2 and 1.3 by OpenSSL, without sockets: bytes go in and come out by calls. Nothing here decides; what OpenSSL can
// only be told through callbacks (the choice of a certificate, of a protocol, of a ticket key) is looked up in tables
// that are filled beforehand.
//
// Contexts are immutable once the first session was made of them, and may then be shared by threads; a session belongs
// to one thread at a time. `error` takes a C string of at most TOLLGATE_TLS_ERROR bytes.

#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

#define TOLLGATE_TLS_ERROR 256
#define TOLLGATE_TLS_DIGEST 32

// What adding a certificate comes to when it is not 1.
#define TOLLGATE_TLS_BAD_CERTIFICATE 0
#define TOLLGATE_TLS_BAD_KEY (-1)

// MARK: Tickets

// The keys of session tickets (RFC 5077, RFC 8446 4.6.1): one that encrypts, and the two before it.
struct tollgate_tls_tickets;
struct tollgate_tls_tickets *_Nullable tollgate_tls_tickets_new(void);
// Makes a new key; the oldest is forgotten. 0 when there is no randomness.
int tollgate_tls_tickets_rotate(struct tollgate_tls_tickets *tickets);
void tollgate_tls_tickets_free(struct tollgate_tls_tickets *tickets);

// MARK: Contexts

struct tollgate_tls_context;

// A server's context. `minimum` is 0x0303 or 0x0304; `protocols` is the list of ALPN in wire format, best first, or
// empty. The tickets must outlive the context; without any there is no resumption.
struct tollgate_tls_context *_Nullable tollgate_tls_server_new(int minimum, const uint8_t *_Nullable protocols,
                                                               size_t count,
                                                               struct tollgate_tls_tickets *_Nullable tickets,
                                                               char *error);
// Whose client certificates are verified; to be called before certificates are added. PEM.
int tollgate_tls_server_authorities(struct tollgate_tls_context *context, const void *_Nullable pem, size_t count,
                                    int required, char *error);
// One more certificate chain with its key, both PEM. The first is for clients that name no host, or none of these.
int tollgate_tls_server_certificate(struct tollgate_tls_context *context, const void *_Nullable chain,
                                    size_t chain_count, const void *_Nullable key, size_t key_count, char *error);
// Ties tickets to 32 bytes: they are good only where the same were set. To be called after the certificates.
int tollgate_tls_server_identity(struct tollgate_tls_context *context, const uint8_t *digest);

// A client's context. Authorities in PEM, or the system's where there are none; chain and key may both be empty.
struct tollgate_tls_context *_Nullable tollgate_tls_client_new(int minimum, const uint8_t *_Nullable protocols,
                                                               size_t count, const void *_Nullable authorities,
                                                               size_t authorities_count, int verifies, char *error);
int tollgate_tls_client_certificate(struct tollgate_tls_context *context, const void *_Nullable chain,
                                    size_t chain_count, const void *_Nullable key, size_t key_count, char *error);

void tollgate_tls_context_free(struct tollgate_tls_context *context);

// MARK: Sessions

struct tollgate_tls_session;

// The context must outlive its sessions.
struct tollgate_tls_session *_Nullable tollgate_tls_server_session(struct tollgate_tls_context *context);
// `host` is asked for by SNI unless it is an IP address, and is what the server's certificate is held to.
struct tollgate_tls_session *_Nullable tollgate_tls_client_session(struct tollgate_tls_context *context,
                                                                   const char *host);
void tollgate_tls_session_free(struct tollgate_tls_session *session);

enum tollgate_tls_status {
    // All input is used up; more is needed.
    TOLLGATE_TLS_WAITING = 0,
    // The handshake is complete. Call again with the rest of the input.
    TOLLGATE_TLS_OPENED = 1,
    // There is no room for more plaintext. Call again with the rest of the input.
    TOLLGATE_TLS_FULL = 2,
    // The peer said that it will send nothing more (close_notify).
    TOLLGATE_TLS_ENDED = 3,
    // The session is broken; tollgate_tls_failure says why. An alert may wait in the output.
    TOLLGATE_TLS_FAILED = 4,
};

struct tollgate_tls_progress {
    int32_t status;
    // Bytes of the input that were taken.
    size_t consumed;
    // Bytes that were written into the given room.
    size_t produced;
};

// Takes ciphertext and gives plaintext, or goes on with the handshake. What is to be sent goes to the output.
struct tollgate_tls_progress tollgate_tls_receive(struct tollgate_tls_session *session, const void *_Nullable input,
                                                  size_t count, void *room, size_t room_count);
// Encrypts one or two runs of bytes, in as few records as they fill, into `room`; what does not fit goes to the output
// behind it. All is taken, or the session is broken.
struct tollgate_tls_progress tollgate_tls_send(struct tollgate_tls_session *session, const void *_Nullable first,
                                               size_t first_count, const void *_Nullable second, size_t second_count,
                                               void *room, size_t room_count);
// Says close_notify. The peer may still be read from.
void tollgate_tls_finish(struct tollgate_tls_session *session);

// Ciphertext that waits to be sent; valid until the next call with this session.
const void *_Nullable tollgate_tls_output(const struct tollgate_tls_session *session, size_t *count);
void tollgate_tls_output_clear(struct tollgate_tls_session *session);

// Why the session is broken: a C string that lives as long as the session.
const char *tollgate_tls_failure(const struct tollgate_tls_session *session);
// The protocol that was chosen by ALPN; NULL without.
const uint8_t *_Nullable tollgate_tls_protocol(const struct tollgate_tls_session *session, size_t *count);
// Whether the handshake went on with an earlier session.
int tollgate_tls_was_resumed(const struct tollgate_tls_session *session);
// 0x0303 or 0x0304.
int tollgate_tls_version(const struct tollgate_tls_session *session);

// MARK: Certificates

struct tollgate_tls_certificate;

// The peer's verified certificate; NULL when it showed none.
struct tollgate_tls_certificate *_Nullable tollgate_tls_peer_certificate(const struct tollgate_tls_session *session);
// Whether a server's authorities vouch for the certificate that the session's client has shown, as things are now.
int tollgate_tls_vouches(const struct tollgate_tls_context *context, const struct tollgate_tls_session *session);
// The first certificate of a PEM text.
struct tollgate_tls_certificate *_Nullable tollgate_tls_certificate_read(const void *_Nullable pem, size_t count,
                                                                         char *error);
void tollgate_tls_certificate_free(struct tollgate_tls_certificate *certificate);

// The SHA-256 of its DER (RFC 8705 3.1) into 32 bytes.
int tollgate_tls_certificate_digest(const struct tollgate_tls_certificate *certificate, uint8_t *digest);
// Unix seconds; 0 where the text of the certificate is no time.
int64_t tollgate_tls_certificate_not_before(const struct tollgate_tls_certificate *certificate);
int64_t tollgate_tls_certificate_not_after(const struct tollgate_tls_certificate *certificate);
// The serial number in hexadecimal digits.
size_t tollgate_tls_certificate_serial(const struct tollgate_tls_certificate *certificate, char *text, size_t room);

enum tollgate_tls_name {
    TOLLGATE_TLS_COMMON_NAME = 0,
    TOLLGATE_TLS_ORGANISATION = 1,
    TOLLGATE_TLS_UNIT = 2,
    TOLLGATE_TLS_DNS = 3,
    TOLLGATE_TLS_URI = 4,
    TOLLGATE_TLS_EMAIL = 5,
};

// The name of this kind and index as UTF-8 into `text`: its length, or -1 behind the last one, or -2 when it is no text
// or does not fit.
int64_t tollgate_tls_certificate_name(const struct tollgate_tls_certificate *certificate, int kind, int index,
                                      char *text, size_t room);

// SHA-256 of the bytes, as in the digests above.
int tollgate_tls_digest(const void *_Nullable bytes, size_t count, uint8_t *digest);

#pragma clang assume_nonnull end

#endif
