/* A fast loopback stand-in for APNs and FCM: it takes every push and counts it.
 *
 * TLS, HTTP/2 and HTTP/1.1 on one thread with epoll, OpenSSL and libnghttp2. Linux only. It answers
 * in about 2 microseconds of CPU, so that what is measured is the sender.
 *
 *   POST /3/device/<token>               200, apns-id echoed                  (APNs)
 *   POST /v1/projects/<p>/messages:send  200, {"name": ...}                   (FCM HTTP v1)
 *   POST /token                          200, {"access_token": ...}           (OAuth2)
 *   GET  /stats                          what was counted, as JSON
 *
 * A device token that begins with "dead" gets 410 {"reason": "Unregistered", ...}.
 *
 * Beside the counts stand two sums: the last 16 hexadecimal digits of every device token, added up
 * modulo 2^64. Equal count and equal sum mean that every token came exactly once, and no other.
 *
 *   -p PORT      listen here (repeatable; 0 is any free port)
 *   -L PORT      the same without checks of HTTP messages (some clients send ":scheme: https:")
 *   -c FILE      certificate chain, PEM          -k FILE   its key, PEM
 *   -d MS        every answer so much later      -g N      GOAWAY after N answers on a connection
 *   -s N         MAX_CONCURRENT_STREAMS (1000)   -i        let apns-id enter the HPACK table
 *   -W BITS      connection window (30)          -w BITS   stream window (16)
 *   -a FILE      append when each push came: the last 16 digits of its token, and microseconds since
 *                1970 by the machine's clock, 8 bytes each; whole as of the last answer to /stats
 *
 * When it listens it writes one line to stdout, "listening PORT ...". It ends with SIGTERM, SIGINT
 * or the process that started it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum kind { OTHER, APNS, DEAD, FCM, TOKEN, STATS };
enum { MAX_PORTS = 8, RECORD = 16384, BODY_CAP = 1024, ID_CAP = 40, EVENTS = 256, READS = 16 };

static struct {
    int delay_ms, streams, connection_window, stream_window, index_id, goaway_after;
} opt = {.streams = 1000, .connection_window = 30, .stream_window = 16};

static FILE *arrivals;

static struct {
    unsigned long apns, gone, fcm, token, other, connections, h2, bytes_in;
    uint64_t apns_sum, fcm_sum;
} seen;

struct stream {
    int32_t id;
    enum kind kind;
    uint64_t digits; /* of the device token */
    uint64_t came_at; /* microseconds since 1970, where anybody asks */
    char apns_id[ID_CAP];
    size_t body_size; /* of the request; what does not fit is dropped */
    const char *answer;
    size_t answer_left;
    char body[BODY_CAP];
};

struct buffer {
    char *data;
    size_t begin, end, cap;
};

struct conn {
    int fd, listener, lenient, shaken, closed, wants_write;
    unsigned life; /* how often this struct has been reused */
    unsigned long answered;
    SSL *ssl;
    nghttp2_session *h2;
    struct buffer out, in; /* `in` is for HTTP/1.1 alone */
    struct conn *next_free;
};

/* An answer that waits; the delay is the same for all, so first in is first out. */
struct due {
    struct conn *conn;
    unsigned life;
    int32_t stream; /* 0: an HTTP/1.1 answer of this kind */
    enum kind kind;
    double at;
};

static struct {
    struct due *ring;
    size_t head, tail, cap;
} queue;

static int poll_fd;
static SSL_CTX *tls;
static nghttp2_session_callbacks *callbacks;
static nghttp2_option *no_checks;
static struct conn *free_conns;
static volatile sig_atomic_t stopped;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static uint64_t wall_clock(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void *must(void *memory) {
    if (!memory) die("memory");
    return memory;
}

/* ---- what came, and what it is answered with ---- */

static const char FCM_BODY[] =
    "{\n  \"name\": \"projects/x/messages/0:1500415314455276%31bd1c9631bd1c96\"\n}\n";
static const char TOKEN_BODY[] =
    "{\"access_token\":\"ya29.c.sinksinksinksinksinksinksinksinksinksinksinksinksinksinksink\","
    "\"expires_in\":3599,\"token_type\":\"Bearer\"}";
static const char DEAD_BODY[] = "{\"reason\":\"Unregistered\",\"timestamp\":1700000000000}";

static int begins(const char *text, size_t size, const char *with) {
    size_t n = strlen(with);
    return size >= n && !memcmp(text, with, n);
}

static int ends(const char *text, size_t size, const char *with) {
    size_t n = strlen(with);
    return size >= n && !memcmp(text + size - n, with, n);
}

static enum kind classify(const char *path, size_t size) {
    if (begins(path, size, "/3/device/dead")) return DEAD;
    if (begins(path, size, "/3/device/")) return APNS;
    if (begins(path, size, "/v1/projects/") && ends(path, size, "/messages:send")) return FCM;
    if (begins(path, size, "/token")) return TOKEN;
    if (begins(path, size, "/stats")) return STATS;
    return OTHER;
}

/* The last 16 hexadecimal digits as a number; 0 where there are none. */
static uint64_t last_digits(const char *text, size_t size) {
    uint64_t number = 0;
    for (size_t i = size < 16 ? size : size - 16; i < size; i++) {
        char c = text[i];
        if (c >= '0' && c <= '9') number = number << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f') number = number << 4 | (uint64_t)(c - 'a' + 10);
        else return 0;
    }
    return number;
}

static uint64_t digits_of_message(const char *body, size_t size) {
    static const char NAME[] = "\"token\":";
    const char *at = memmem(body, size, NAME, sizeof NAME - 1), *end = body + size;
    if (!at) return 0;
    at = memchr(at + sizeof NAME - 1, '"', end - at - (sizeof NAME - 1));
    const char *close = at ? memchr(at + 1, '"', end - at - 1) : NULL;
    return close ? last_digits(at + 1, close - at - 1) : 0;
}

static void count(enum kind kind, uint64_t digits) {
    switch (kind) {
    case APNS: seen.apns++; seen.apns_sum += digits; break;
    case DEAD: seen.gone++; seen.apns_sum += digits; break;
    case FCM: seen.fcm++; seen.fcm_sum += digits; break;
    case TOKEN: seen.token++; break;
    case STATS: break;
    case OTHER: seen.other++; break;
    }
}

static void note(uint64_t digits, uint64_t came_at) {
    uint64_t record[2] = {digits, came_at};
    if (arrivals) fwrite(record, sizeof record, 1, arrivals);
}

/* User and system time of this process so far, in microseconds. */
static long long own_cpu(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000LL + used.ru_utime.tv_usec +
           used.ru_stime.tv_usec;
}

static size_t write_stats(char *to, size_t cap) {
    if (arrivals) fflush(arrivals);
    return (size_t)snprintf(
        to, cap,
        "{\"apns\":%lu,\"gone\":%lu,\"fcm\":%lu,\"token\":%lu,\"other\":%lu,\"connections\":%lu,"
        "\"h2\":%lu,\"bytes_in\":%lu,\"apns_sum\":%llu,\"fcm_sum\":%llu,\"cpu_us\":%lld}",
        seen.apns, seen.gone, seen.fcm, seen.token, seen.other, seen.connections, seen.h2,
        seen.bytes_in, (unsigned long long)seen.apns_sum, (unsigned long long)seen.fcm_sum,
        own_cpu());
}

/* ---- connections ---- */

static void add(struct buffer *b, const void *data, size_t size) {
    if (b->begin == b->end) b->begin = b->end = 0;
    if (b->end + size + 1 > b->cap) {
        b->cap = (b->end + size) * 2 + 65536;
        b->data = must(realloc(b->data, b->cap));
    }
    memcpy(b->data + b->end, data, size);
    b->end += size;
}

static void drop(struct buffer *b) {
    free(b->data);
    *b = (struct buffer){0};
}

static void want_write(struct conn *c, int wanted) {
    if (c->wants_write == wanted) return;
    struct epoll_event e = {.events = EPOLLIN | (wanted ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(poll_fd, EPOLL_CTL_MOD, c->fd, &e);
    c->wants_write = wanted;
}

static void hang_up(struct conn *c) {
    if (c->closed) return;
    c->closed = 1;
    c->life++;
    epoll_ctl(poll_fd, EPOLL_CTL_DEL, c->fd, NULL);
    if (c->h2) nghttp2_session_del(c->h2);
    SSL_shutdown(c->ssl);
    SSL_free(c->ssl);
    close(c->fd);
    c->h2 = NULL;
    c->ssl = NULL;
    drop(&c->out);
    drop(&c->in);
    c->next_free = free_conns;
    free_conns = c;
}

static void flush(struct conn *c) {
    if (c->closed) return;
    if (c->h2) {
        const uint8_t *frames;
        ssize_t size;
        while ((size = nghttp2_session_mem_send(c->h2, &frames)) > 0) add(&c->out, frames, size);
        if (size < 0) {
            hang_up(c);
            return;
        }
    }
    while (c->out.begin < c->out.end) {
        size_t size = c->out.end - c->out.begin;
        ERR_clear_error();
        int wrote = SSL_write(c->ssl, c->out.data + c->out.begin, size > RECORD ? RECORD : size);
        if (wrote > 0) {
            c->out.begin += wrote;
            continue;
        }
        int error = SSL_get_error(c->ssl, wrote);
        if (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ) want_write(c, 1);
        else hang_up(c);
        return;
    }
    want_write(c, 0);
    if (c->h2 && !nghttp2_session_want_read(c->h2) && !nghttp2_session_want_write(c->h2))
        hang_up(c);
}

/* ---- answers that wait ---- */

static void delay(struct conn *c, int32_t stream, enum kind kind) {
    if (queue.tail - queue.head == queue.cap) {
        size_t cap = queue.cap ? queue.cap * 2 : 4096, size = queue.tail - queue.head;
        struct due *ring = must(malloc(cap * sizeof *ring));
        for (size_t i = 0; i < size; i++) ring[i] = queue.ring[(queue.head + i) % queue.cap];
        free(queue.ring);
        queue.ring = ring;
        queue.head = 0;
        queue.tail = size;
        queue.cap = cap;
    }
    queue.ring[queue.tail++ % queue.cap] =
        (struct due){c, c->life, stream, kind, now() + opt.delay_ms * 1e-3};
}

/* ---- HTTP/2 ---- */

#define FIELD(name, value, flags)                                                                  \
    (nghttp2_nv) {                                                                                 \
        (uint8_t *)(name), (uint8_t *)(value), strlen(name), strlen(value), (flags)                \
    }

static ssize_t read_answer(nghttp2_session *h2, int32_t id, uint8_t *to, size_t cap,
                           uint32_t *flags, nghttp2_data_source *source, void *conn) {
    (void)h2, (void)id, (void)conn;
    struct stream *s = source->ptr;
    size_t size = s->answer_left < cap ? s->answer_left : cap;
    memcpy(to, s->answer, size);
    s->answer += size;
    s->answer_left -= size;
    if (!s->answer_left) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)size;
}

static void choose_body(struct stream *s) {
    switch (s->kind) {
    case DEAD: s->answer = DEAD_BODY; s->answer_left = sizeof DEAD_BODY - 1; break;
    case FCM: s->answer = FCM_BODY; s->answer_left = sizeof FCM_BODY - 1; break;
    case TOKEN: s->answer = TOKEN_BODY; s->answer_left = sizeof TOKEN_BODY - 1; break;
    case STATS: s->answer = s->body; s->answer_left = write_stats(s->body, BODY_CAP); break;
    default: s->answer = NULL; s->answer_left = 0;
    }
}

/* The fields FCM sends, in its order. */
static size_t google_fields(nghttp2_nv *to) {
    size_t n = 0;
    to[n++] = FIELD("content-type", "application/json; charset=UTF-8", 0);
    to[n++] = FIELD("vary", "Origin", 0);
    to[n++] = FIELD("vary", "X-Origin", 0);
    to[n++] = FIELD("vary", "Referer", 0);
    to[n++] = FIELD("date", "Mon, 01 Jan 2024 00:00:00 GMT", 0);
    to[n++] = FIELD("server", "scaffolding on HTTPServer2", 0);
    to[n++] = FIELD("cache-control", "private", 0);
    to[n++] = FIELD("x-xss-protection", "0", 0);
    to[n++] = FIELD("x-frame-options", "SAMEORIGIN", 0);
    to[n++] = FIELD("x-content-type-options", "nosniff", 0);
    to[n++] = FIELD("accept-ranges", "none", 0);
    return n;
}

static void answer(struct conn *c, struct stream *s) {
    nghttp2_nv fields[16];
    size_t n = 0;
    char length[24];
    uint8_t id_flag = opt.index_id ? NGHTTP2_NV_FLAG_NONE : NGHTTP2_NV_FLAG_NO_INDEX;
    if (s->kind == FCM) s->digits = digits_of_message(s->body, s->body_size);
    count(s->kind, s->digits);
    if (s->kind == APNS || s->kind == FCM) note(s->digits, s->came_at);
    choose_body(s);
    fields[n++] = FIELD(":status", s->kind == OTHER ? "404" : s->kind == DEAD ? "410" : "200", 0);
    if (s->kind == APNS || s->kind == DEAD) {
        fields[n++] = FIELD("apns-id", s->apns_id, id_flag);
    } else if (s->kind != OTHER) {
        n += google_fields(fields + n);
        snprintf(length, sizeof length, "%zu", s->answer_left);
        fields[n++] = FIELD("content-length", length, 0);
    }
    nghttp2_data_provider body = {.source.ptr = s, .read_callback = read_answer};
    nghttp2_submit_response(c->h2, s->id, fields, n, s->answer ? &body : NULL);
    if (opt.goaway_after && ++c->answered == (unsigned long)opt.goaway_after)
        nghttp2_submit_goaway(c->h2, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_NO_ERROR,
                              (const uint8_t *)"{}", 2);
}

static int on_begin(nghttp2_session *h2, const nghttp2_frame *frame, void *conn) {
    (void)conn;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    struct stream *s = must(malloc(sizeof *s));
    s->id = frame->hd.stream_id;
    s->kind = OTHER;
    s->digits = 0;
    s->apns_id[0] = 0;
    s->body_size = 0;
    nghttp2_session_set_stream_user_data(h2, s->id, s);
    return 0;
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t size, uint8_t flags,
                     void *conn) {
    (void)flags, (void)conn;
    struct stream *s = nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);
    if (!s) return 0;
    if (name_size == 5 && !memcmp(name, ":path", 5)) {
        s->kind = classify((const char *)value, size);
        if (s->kind == APNS || s->kind == DEAD) s->digits = last_digits((const char *)value, size);
    } else if (name_size == 7 && size < ID_CAP && !memcmp(name, "apns-id", 7)) {
        memcpy(s->apns_id, value, size);
        s->apns_id[size] = 0;
    }
    return 0;
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *data, size_t size,
                   void *conn) {
    (void)flags, (void)conn;
    struct stream *s = nghttp2_session_get_stream_user_data(h2, id);
    if (!s || s->kind != FCM) return 0;
    size_t room = BODY_CAP - s->body_size;
    if (size > room) size = room;
    memcpy(s->body + s->body_size, data, size);
    s->body_size += size;
    return 0;
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *conn) {
    int whole = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (!whole || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) return 0;
    struct stream *s = nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);
    if (!s) return 0;
    if (!s->apns_id[0]) { /* as Apple does where the sender named none */
        static unsigned long made;
        snprintf(s->apns_id, ID_CAP, "00000000-0000-4000-8000-%012lx", ++made);
    }
    if (arrivals) s->came_at = wall_clock();
    if (opt.delay_ms && s->kind != STATS) delay(conn, s->id, s->kind);
    else answer(conn, s);
    return 0;
}

static int on_close(nghttp2_session *h2, int32_t id, uint32_t code, void *conn) {
    (void)code, (void)conn;
    free(nghttp2_session_get_stream_user_data(h2, id));
    nghttp2_session_set_stream_user_data(h2, id, NULL);
    return 0;
}

static void prepare_h2(void) {
    nghttp2_option_new(&no_checks);
    nghttp2_option_set_no_http_messaging(no_checks, 1);
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
}

static void start_h2(struct conn *c) {
    seen.h2++;
    nghttp2_session_server_new2(&c->h2, callbacks, c, c->lenient ? no_checks : NULL);
    nghttp2_settings_entry ours[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, (uint32_t)opt.streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (1u << opt.stream_window) - 1},
    };
    nghttp2_submit_settings(c->h2, NGHTTP2_FLAG_NONE, ours, 2);
    if (opt.connection_window > 16)
        nghttp2_session_set_local_window_size(c->h2, NGHTTP2_FLAG_NONE, 0,
                                              (int32_t)((1u << opt.connection_window) - 1));
}

/* ---- HTTP/1.1 ---- */

static void answer_h1(struct conn *c, enum kind kind) {
    char whole[1200];
    struct stream s = {.kind = kind};
    choose_body(&s);
    int known = kind == APNS || s.answer;
    int size = snprintf(
        whole, sizeof whole,
        "HTTP/1.1 %s\r\nContent-Type: application/json; charset=UTF-8\r\nVary: Origin\r\n"
        "Vary: X-Origin\r\nVary: Referer\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\n"
        "Server: scaffolding on HTTPServer2\r\nCache-Control: private\r\nX-XSS-Protection: 0\r\n"
        "X-Frame-Options: SAMEORIGIN\r\nX-Content-Type-Options: nosniff\r\nAccept-Ranges: none\r\n"
        "Content-Length: %zu\r\n\r\n%.*s",
        kind == DEAD ? "410 Gone" : known ? "200 OK" : "404 Not Found", s.answer_left,
        (int)s.answer_left, s.answer ? s.answer : "");
    add(&c->out, whole, (size_t)size);
}

/* The size of the request at the front, 0 while it is not whole. */
static size_t whole_request(struct conn *c, size_t *head_size, enum kind *kind) {
    char *text = c->in.data + c->in.begin;
    size_t size = c->in.end - c->in.begin;
    text[size] = 0; /* `add` keeps room for it */
    char *end = memmem(text, size, "\r\n\r\n", 4);
    if (!end) return 0;
    *head_size = (size_t)(end + 4 - text);
    end[2] = 0; /* so that the searches below stay within the head */
    char *length = strcasestr(text, "\r\ncontent-length:");
    int chunked = strcasestr(text, "\r\ntransfer-encoding: chunked") != NULL;
    size_t body_size = length ? strtoul(length + 17, NULL, 10) : 0;
    char *path = strchr(text, ' ');
    *kind = path ? classify(path + 1, strcspn(path + 1, " ")) : OTHER;
    end[2] = '\r';
    if (chunked) {
        char *last = memmem(end + 2, size - *head_size + 2, "\r\n0\r\n\r\n", 7);
        return last ? (size_t)(last + 7 - text) : 0;
    }
    return size >= *head_size + body_size ? *head_size + body_size : 0;
}

static uint64_t digits_of_request(const char *text, size_t head_size, size_t size, enum kind kind) {
    if (kind == FCM) return digits_of_message(text + head_size, size - head_size);
    const char *path = memchr(text, ' ', head_size);
    return kind == APNS || kind == DEAD ? last_digits(path + 1, strcspn(path + 1, " ")) : 0;
}

static void take_h1(struct conn *c, const char *data, size_t size) {
    size_t head_size, whole;
    enum kind kind;
    add(&c->in, data, size);
    while (c->in.begin < c->in.end && (whole = whole_request(c, &head_size, &kind))) {
        count(kind, digits_of_request(c->in.data + c->in.begin, head_size, whole, kind));
        c->in.begin += whole;
        if (opt.delay_ms && kind != STATS) delay(c, 0, kind);
        else answer_h1(c, kind);
    }
}

/* ---- TLS, accepting, the loop ---- */

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                           const unsigned char *offered, unsigned offered_size, void *unused) {
    static const unsigned char OURS[] = "\x02h2\x08http/1.1";
    (void)ssl, (void)unused;
    int result = SSL_select_next_proto((unsigned char **)out, out_size, OURS, sizeof OURS - 1,
                                       offered, offered_size);
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static void prepare_tls(const char *certificate, const char *key) {
    tls = must(SSL_CTX_new(TLS_server_method()));
    SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(tls, choose_protocol, NULL);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(tls, 0);
    if (SSL_CTX_use_certificate_chain_file(tls, certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1) {
        ERR_print_errors_fp(stderr);
        exit(1);
    }
}

static int shake_hands(struct conn *c) {
    ERR_clear_error();
    int result = SSL_accept(c->ssl);
    if (result == 1) {
        const unsigned char *name;
        unsigned size;
        SSL_get0_alpn_selected(c->ssl, &name, &size);
        c->shaken = 1;
        if (size == 2 && !memcmp(name, "h2", 2)) start_h2(c);
        flush(c);
        return !c->closed;
    }
    int error = SSL_get_error(c->ssl, result);
    if (error == SSL_ERROR_WANT_READ) want_write(c, 0);
    else if (error == SSL_ERROR_WANT_WRITE) want_write(c, 1);
    else hang_up(c);
    return 0;
}

static void on_readable(struct conn *c) {
    static unsigned char data[65536];
    if (!c->shaken && !shake_hands(c)) return;
    for (int i = 0; i < READS; i++) {
        ERR_clear_error();
        int size = SSL_read(c->ssl, data, sizeof data);
        if (size <= 0) {
            int error = SSL_get_error(c->ssl, size);
            if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) break;
            hang_up(c);
            return;
        }
        seen.bytes_in += (unsigned long)size;
        /* aioapns speaks HTTP/2 without asking for it in ALPN */
        if (!c->h2 && c->in.begin == c->in.end && begins((char *)data, size, "PRI")) start_h2(c);
        if (!c->h2) {
            take_h1(c, (char *)data, (size_t)size);
        } else if (nghttp2_session_mem_recv(c->h2, data, (size_t)size) < 0) {
            hang_up(c);
            return;
        }
    }
    flush(c);
}

static void watch(struct conn *c) {
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, c->fd, &e)) die("epoll");
}

static struct conn *new_conn(void) {
    struct conn *c = free_conns;
    if (!c) return must(calloc(1, sizeof *c));
    free_conns = c->next_free;
    *c = (struct conn){.life = c->life};
    return c;
}

static void accept_all(struct conn *listener) {
    int fd, on = 1;
    while ((fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct conn *c = new_conn();
        c->fd = fd;
        c->lenient = listener->lenient;
        c->ssl = must(SSL_new(tls));
        SSL_set_fd(c->ssl, fd);
        seen.connections++;
        watch(c);
    }
}

static int listen_on(int port, int lenient) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 4096)) die("listen");
    getsockname(fd, (struct sockaddr *)&a, &size);
    struct conn *c = must(calloc(1, sizeof *c));
    c->fd = fd;
    c->listener = 1;
    c->lenient = lenient;
    watch(c);
    return ntohs(a.sin_port);
}

static void on_event(struct conn *c, uint32_t events) {
    if (c->listener) {
        accept_all(c);
        return;
    }
    if (c->closed) return;
    if (events & EPOLLOUT) {
        if (!c->shaken) {
            on_readable(c);
            return;
        }
        flush(c);
    }
    if (!c->closed && events & (EPOLLIN | EPOLLHUP | EPOLLERR)) on_readable(c);
}

static void answer_due(void) {
    double until = now();
    struct conn *last = NULL;
    while (queue.head < queue.tail && queue.ring[queue.head % queue.cap].at <= until) {
        struct due d = queue.ring[queue.head++ % queue.cap];
        if (d.conn->life != d.life || d.conn->closed) continue;
        if (last && last != d.conn) flush(last);
        last = d.conn;
        if (!d.stream) {
            answer_h1(d.conn, d.kind);
        } else {
            struct stream *s = nghttp2_session_get_stream_user_data(d.conn->h2, d.stream);
            if (s) answer(d.conn, s);
        }
    }
    if (last) flush(last);
}

static int patience(void) {
    if (queue.head == queue.tail) return -1;
    double left = queue.ring[queue.head % queue.cap].at - now();
    return left <= 0 ? 0 : (int)(left * 1000) + 1;
}

static void on_signal(int number) {
    (void)number;
    stopped = 1;
}

int main(int argc, char **argv) {
    const char *certificate = "server.pem", *key = NULL;
    int ports[MAX_PORTS], lenient[MAX_PORTS], n = 0, o;
    while ((o = getopt(argc, argv, "p:L:c:k:d:g:s:iW:w:a:")) != -1) switch (o) {
        case 'p':
        case 'L':
            if (n == MAX_PORTS) return 2;
            lenient[n] = o == 'L';
            ports[n++] = atoi(optarg);
            break;
        case 'c': certificate = optarg; break;
        case 'k': key = optarg; break;
        case 'd': opt.delay_ms = atoi(optarg); break;
        case 'g': opt.goaway_after = atoi(optarg); break;
        case 's': opt.streams = atoi(optarg); break;
        case 'i': opt.index_id = 1; break;
        case 'W': opt.connection_window = atoi(optarg); break;
        case 'w': opt.stream_window = atoi(optarg); break;
        case 'a':
            if (!(arrivals = fopen(optarg, "ab"))) die(optarg);
            break;
        default: return 2;
        }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    prepare_tls(certificate, key ? key : certificate);
    prepare_h2();
    poll_fd = epoll_create1(0);
    printf("listening");
    for (int i = 0; i < n; i++) printf(" %d", listen_on(ports[i], lenient[i]));
    printf("\n");
    fflush(stdout);
    struct epoll_event events[EVENTS];
    while (!stopped) {
        int ready = epoll_wait(poll_fd, events, EVENTS, patience());
        for (int i = 0; i < ready; i++) on_event(events[i].data.ptr, events[i].events);
        if (queue.head < queue.tail) answer_due();
    }
    return 0;
}
