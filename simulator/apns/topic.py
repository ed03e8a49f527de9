"""Which topic a push is for, and whether its sender may push there."""

from simulator.apns.caller import Binding
from simulator.apns.headers import PushHeaders
from simulator.apns.reasons import Refused

BY_TOKEN_ONLY = {"location"}


def topic_of(headers: PushHeaders, binding: Binding) -> str:
    """Return the topic of the push, or refuse it."""
    topic, certificate = headers.topic, binding.certificate
    if certificate is not None:
        if headers.push_type in BY_TOKEN_ONLY:
            raise Refused("InvalidPushType")
        if topic is None and len(certificate.topics) == 1:
            topic = certificate.default_topic
        if topic is not None and not {topic, bundle_of(topic, headers)} & certificate.topics:
            raise Refused("TopicDisallowed")
    if topic is None:
        raise Refused("MissingTopic")
    if not topic.endswith(headers.suffix) or topic == headers.suffix:
        raise Refused("BadTopic")
    allowed = None if binding.key is None else binding.key.topics
    if allowed is not None and bundle_of(topic, headers) not in allowed:
        raise Refused("TopicDisallowed")
    return topic


def bundle_of(topic: str, headers: PushHeaders) -> str:
    """Return the bundle id a topic belongs to."""
    return topic.removesuffix(headers.suffix) if headers.suffix else topic
