"""The request of `messages:send`, field by field, after Google's machine-readable description."""

from simulator.fcm.shapes import (
    duration,
    flag,
    free,
    many,
    message,
    number,
    one_of,
    string_map,
    text,
)

LABEL = message({"analytics_label": text})

ANDROID_NOTIFICATION = message(
    {
        "title": text,
        "body": text,
        "icon": text,
        "color": text,
        "sound": text,
        "tag": text,
        "click_action": text,
        "body_loc_key": text,
        "body_loc_args": many(text),
        "title_loc_key": text,
        "title_loc_args": many(text),
        "channel_id": text,
        "ticker": text,
        "sticky": flag,
        "event_time": text,
        "local_only": flag,
        "notification_priority": one_of(
            "PRIORITY_UNSPECIFIED",
            "PRIORITY_MIN",
            "PRIORITY_LOW",
            "PRIORITY_DEFAULT",
            "PRIORITY_HIGH",
            "PRIORITY_MAX",
        ),
        "default_sound": flag,
        "default_vibrate_timings": flag,
        "default_light_settings": flag,
        "vibrate_timings": many(duration),
        "visibility": one_of("VISIBILITY_UNSPECIFIED", "PRIVATE", "PUBLIC", "SECRET"),
        "notification_count": number,
        "light_settings": message(
            {
                "color": message({"red": number, "green": number, "blue": number, "alpha": number}),
                "light_on_duration": duration,
                "light_off_duration": duration,
            }
        ),
        "image": text,
        "bypass_proxy_notification": flag,
        "proxy": one_of("PROXY_UNSPECIFIED", "ALLOW", "DENY", "IF_PRIORITY_LOWERED"),
    }
)

ANDROID = message(
    {
        "collapse_key": text,
        "priority": one_of("NORMAL", "HIGH", "normal", "high"),
        "ttl": duration,
        "restricted_package_name": text,
        "data": string_map,
        "notification": ANDROID_NOTIFICATION,
        "fcm_options": LABEL,
        "direct_boot_ok": flag,
        "bandwidth_constrained_ok": flag,
        "restricted_satellite_ok": flag,
    }
)

MESSAGE = message(
    {
        "name": text,
        "data": string_map,
        "notification": message({"title": text, "body": text, "image": text}),
        "android": ANDROID,
        "android_v2": free,
        "webpush": message(
            {
                "headers": string_map,
                "data": string_map,
                "notification": free,
                "fcm_options": message({"link": text, "analytics_label": text}),
            }
        ),
        "apns": message(
            {
                "headers": string_map,
                "payload": free,
                "fcm_options": message({"analytics_label": text, "image": text}),
                "live_activity_token": text,
            }
        ),
        "fcm_options": LABEL,
        "token": text,
        "fid": text,
        "topic": text,
        "condition": text,
    }
)

REQUEST = message({"message": MESSAGE, "validate_only": flag})
