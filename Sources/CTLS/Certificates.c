#include "Internal.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

// A tollgate_tls_certificate is an X509 under a name of our own.
static X509 *x509(const struct tollgate_tls_certificate *certificate) { return (X509 *)certificate; }

struct tollgate_tls_certificate *tollgate_tls_certificate_read(const void *pem, size_t count, char *error) {
    BIO *bio = pem == NULL || count == 0 || count > 1 << 24 ? NULL : BIO_new_mem_buf(pem, (int)count);
    X509 *read = bio ? PEM_read_bio_X509_AUX(bio, NULL, NULL, "") : NULL;
    BIO_free(bio);
    if (read == NULL) snprintf(error, TOLLGATE_TLS_ERROR, "there is no certificate in PEM in it");
    ERR_clear_error();
    return (struct tollgate_tls_certificate *)read;
}

void tollgate_tls_certificate_free(struct tollgate_tls_certificate *certificate) { X509_free(x509(certificate)); }

int tollgate_tls_certificate_digest(const struct tollgate_tls_certificate *certificate, uint8_t *digest) {
    unsigned int count = 0;
    return X509_digest(x509(certificate), EVP_sha256(), digest, &count) == 1 && count == TOLLGATE_TLS_DIGEST;
}

static int64_t seconds(const ASN1_TIME *time) {
    struct tm parts;
    return time != NULL && ASN1_TIME_to_tm(time, &parts) == 1 ? (int64_t)timegm(&parts) : 0;
}

int64_t tollgate_tls_certificate_not_before(const struct tollgate_tls_certificate *certificate) {
    return seconds(X509_get0_notBefore(x509(certificate)));
}

int64_t tollgate_tls_certificate_not_after(const struct tollgate_tls_certificate *certificate) {
    return seconds(X509_get0_notAfter(x509(certificate)));
}

size_t tollgate_tls_certificate_serial(const struct tollgate_tls_certificate *certificate, char *text, size_t room) {
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x509(certificate)), NULL);
    char *digits = number ? BN_bn2hex(number) : NULL;
    size_t count = digits ? strlen(digits) : 0;
    if (count > room) count = 0;
    if (count > 0) memcpy(text, digits, count);
    OPENSSL_free(digits);
    BN_free(number);
    ERR_clear_error();
    return count;
}

// UTF-8 of any string type.
static int64_t copy_text(const ASN1_STRING *string, char *text, size_t room) {
    unsigned char *bytes = NULL;
    int count = ASN1_STRING_to_UTF8(&bytes, string);
    int64_t result = -2;
    if (count >= 0 && (size_t)count <= room) {
        if (count > 0) memcpy(text, bytes, (size_t)count);
        result = count;
    }
    OPENSSL_free(bytes);
    ERR_clear_error();
    return result;
}

static int64_t subject_name(const X509 *certificate, int nid, int index, char *text, size_t room) {
    X509_NAME *subject = X509_get_subject_name(certificate);
    int position = -1;
    for (int i = 0; i <= index; i++) {
        position = X509_NAME_get_index_by_NID(subject, nid, position);
        if (position < 0) return -1;
    }
    return copy_text(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, position)), text, room);
}

static int64_t alternative_name(X509 *certificate, int type, int index, char *text, size_t room) {
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    int64_t result = -1;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != type || index-- > 0) continue;
        // The three kinds that are asked for are IA5Strings in the same place of the union.
        result = copy_text(name->d.ia5, text, room);
        break;
    }
    GENERAL_NAMES_free(names);
    ERR_clear_error();
    return result;
}

int64_t tollgate_tls_certificate_name(const struct tollgate_tls_certificate *certificate, int kind, int index,
                                      char *text, size_t room) {
    switch (kind) {
        case TOLLGATE_TLS_COMMON_NAME: return subject_name(x509(certificate), NID_commonName, index, text, room);
        case TOLLGATE_TLS_ORGANISATION:
            return subject_name(x509(certificate), NID_organizationName, index, text, room);
        case TOLLGATE_TLS_UNIT: return subject_name(x509(certificate), NID_organizationalUnitName, index, text, room);
        case TOLLGATE_TLS_DNS: return alternative_name(x509(certificate), GEN_DNS, index, text, room);
        case TOLLGATE_TLS_URI: return alternative_name(x509(certificate), GEN_URI, index, text, room);
        case TOLLGATE_TLS_EMAIL: return alternative_name(x509(certificate), GEN_EMAIL, index, text, room);
        default: return -1;
    }
}

int tollgate_tls_digest(const void *bytes, size_t count, uint8_t *digest) {
    unsigned int length = 0;
    return EVP_Digest(bytes != NULL ? bytes : "", count, digest, &length, EVP_sha256(), NULL) == 1 &&
           length == TOLLGATE_TLS_DIGEST;
}
