"""Makes what a run authenticates with: an RSA-2048 key of its own, its JWKS, RS256 tokens, a policy and the requests.

Everything is made at run time and thrown away after it; no key or token is ever kept in the repository. The
`cryptography` package signs when it is present, else the `openssl` command does.
"""

import base64
import json
import os
import subprocess
import time

ISSUER = "https://bench.example/"
AUDIENCE = "https://api.bench.example/"
KEY_ID = "bench-1"
PROVIDER = "bench"


def _b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


class _OpenSSL:
    """Signs with the `openssl` command: slow, and nothing to install."""

    def __init__(self, folder):
        self.key = os.path.join(folder, "key.pem")
        self._run("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.key)
        self.public_pem = self._run("pkey", "-in", self.key, "-pubout").decode()
        modulus = self._run("rsa", "-in", self.key, "-noout", "-modulus").decode().strip().split("=")[1]
        self.modulus = bytes.fromhex(modulus)

    @staticmethod
    def _run(*arguments, data=None):
        done = subprocess.run(["openssl", *arguments], input=data, capture_output=True)
        if done.returncode:
            raise SystemExit("openssl %s: %s" % (arguments[0], done.stderr.decode()))
        return done.stdout

    def sign(self, data):
        return self._run("dgst", "-sha256", "-sign", self.key, data=data)


class _Cryptography:
    def __init__(self, _folder):
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import padding, rsa
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._padding, self._hash = padding.PKCS1v15(), hashes.SHA256()
        public = self._key.public_key()
        self.public_pem = public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
        self.modulus = public.public_numbers().n.to_bytes(256, "big")

    def sign(self, data):
        return self._key.sign(data, self._padding, self._hash)


def _signer(folder):
    try:
        return _Cryptography(folder)
    except ImportError:
        return _OpenSSL(folder)


def _token(signer, claims):
    signed = _b64(_compact({"alg": "RS256", "typ": "JWT", "kid": KEY_ID})) + "." + _b64(_compact(claims))
    return signed + "." + _b64(signer.sign(signed.encode()))


def make(folder, count=1000, lifetime=86400):
    """Writes key material, tokens, policy and request files into `folder`; returns their paths.

    `requests.tsv`  one `path<TAB>token` a line, each token of another client, subject and azp; all are admitted
    `stranger.tsv`  the same paths with tokens of subjects the policy does not know: 403
    `forged.tsv`    the same tokens with one character of the signature changed: 401
    """
    signer, now = _signer(folder), int(time.time())
    paths, subjects, lines = {}, {}, {"requests": [], "stranger": [], "forged": []}

    def claims(kind, n):
        return {
            "iss": ISSUER, "sub": "auth0|%s%08x%08d" % (kind, n * 2654435761 % 2**32, n), "aud": [AUDIENCE],
            "azp": "client-%s-%05d" % (kind, n), "org_id": "org_%03d" % (n % 50), "iat": now, "exp": now + lifetime,
            "permissions": ["read:things"],
        }

    for n in range(count):
        known, path = claims("user", n), "/api/2/things/acme:lamp-%05d/features/light" % n
        token = _token(signer, known)
        lines["requests"].append((path, token))
        at = len(token) - 100
        lines["forged"].append((path, token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1:]))
        lines["stranger"].append((path, _token(signer, claims("other", n))))
        subjects["%s:%s" % (PROVIDER, known["sub"])] = {"type": "bench"}

    def write(name, text):
        paths[name] = os.path.join(folder, name)
        with open(paths[name], "w") as file:
            file.write(text)

    for name, rows in lines.items():
        write(name + ".tsv", "".join("%s\t%s\n" % row for row in rows))
    write("public.pem", signer.public_pem)
    write("jwks.json", json.dumps({"keys": [{
        "kty": "RSA", "kid": KEY_ID, "alg": "RS256", "use": "sig", "n": _b64(signer.modulus), "e": "AQAB"}]}))
    write("policy.json", json.dumps({"policyId": "bench:things", "entries": {
        "users": {"subjects": subjects, "resources": {
            "thing:/": {"grant": ["READ", "WRITE"], "revoke": []},
            "thing:/acme:lamp-00000/features/firmware": {"grant": [], "revoke": ["WRITE"]}}},
        "operators": {"subjects": {PROVIDER + ":operator": {"type": "bench"}}, "resources": {
            "thing:/": {"grant": ["READ", "WRITE", "EXECUTE"], "revoke": []}}}}}))
    return paths


def many(folder, algorithm, count, lifetime=86400):
    """Writes `count` tokens of one algorithm, each of another client, with a key and a JWKS of their own.

    The subjects are those that `make` has put into the policy, in turn. Returns (requests file, JWKS file). Needs the
    `cryptography` package: a process for each of so many signatures would take minutes.
    """
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, utils
    now = int(time.time())
    if algorithm == "RS256":
        signer = _Cryptography(folder)
        sign, key = signer.sign, {"kty": "RSA", "n": _b64(signer.modulus), "e": "AQAB"}
    else:
        private, how = ec.generate_private_key(ec.SECP256R1()), ec.ECDSA(hashes.SHA256())
        numbers = private.public_key().public_numbers()
        key = {"kty": "EC", "crv": "P-256", "x": _b64(numbers.x.to_bytes(32, "big")),
               "y": _b64(numbers.y.to_bytes(32, "big"))}

        def sign(data):
            r, s = utils.decode_dss_signature(private.sign(data, how))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    head = _b64(_compact({"alg": algorithm, "typ": "JWT", "kid": KEY_ID}))
    requests, keys = os.path.join(folder, algorithm + ".tsv"), os.path.join(folder, algorithm + ".jwks.json")
    with open(requests, "w") as file:
        for n in range(count):
            known = n % 1000
            signed = head + "." + _b64(_compact({
                "iss": ISSUER, "sub": "auth0|user%08x%08d" % (known * 2654435761 % 2**32, known), "aud": [AUDIENCE],
                "azp": "client-many-%06d" % n, "org_id": "org_%03d" % (n % 50), "iat": now, "exp": now + lifetime,
                "permissions": ["read:things"]}))
            file.write("/api/2/things/acme:lamp-%05d/features/light\t%s.%s\n" % (
                n % 1000, signed, _b64(sign(signed.encode()))))
    with open(keys, "w") as file:
        file.write(json.dumps({"keys": [dict(key, kid=KEY_ID, alg=algorithm, use="sig")]}))
    return requests, keys


def certificates(folder):
    """Writes a self-signed certificate for each kind of key into `folder`: {"ecdsa": (certificate, key), "rsa": …}.

    HAProxy wants both in one file: `KIND.pem` beside them.
    """
    paths = {}
    for kind, how in (("ecdsa", ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]),
                      ("rsa", ["-newkey", "rsa:2048"])):
        certificate, key = os.path.join(folder, kind + ".crt"), os.path.join(folder, kind + ".key")
        _OpenSSL._run("req", "-x509", *how, "-nodes", "-days", "7", "-subj", "/CN=bench.example", "-addext",
                      "subjectAltName=DNS:bench.example,IP:127.0.0.1", "-keyout", key, "-out", certificate)
        with open(os.path.join(folder, kind + ".pem"), "w") as both:
            both.write(open(certificate).read() + open(key).read())
        paths[kind] = (certificate, key)
    return paths


if __name__ == "__main__":
    import sys
    made = make(sys.argv[1] if len(sys.argv) > 1 else ".", int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
    print("\n".join(made.values()))
